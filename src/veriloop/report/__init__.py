"""From a run folder to what people read: tidy frames, figures, sample grids, one offline HTML page."""
