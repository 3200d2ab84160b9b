// report.js has drawn the figures; draw them again when a finished round has brought new ones.
document.body.addEventListener("htmx:after:swap", draw);
