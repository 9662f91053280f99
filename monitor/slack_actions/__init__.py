"""Slack, the way back: buttons under messages, and `/slicewatch`.

`requests` reads what comes, `gate` says who may, `clerk` has it done and answers, `office` knows what is asked for in words. It
comes by `socket` (Socket Mode, where a receiver has an `app_token`) or `signed` (HTTP, where it has a `signing_secret`);
`listening` puts them together.
"""
