"""What people do in PagerDuty, taken back: its webhooks of version 3."""
