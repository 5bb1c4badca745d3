"""People's own things: accounts, views, lists, notes, cases, shares and the audit log, in one small database."""
