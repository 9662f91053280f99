"""Pages and the JSON API over HTTP. Where the data comes from is given to it: `dashboards.web.ports`."""
