"""Turn a run folder into tidy frames, figures, sample grids, and one offline HTML page."""
