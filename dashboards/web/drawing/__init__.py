"""Pictures: small ones as SVG in the page, charts as figures that plotly.js draws."""
