"""The rider's card against a bare route, by wrk on this machine."""
