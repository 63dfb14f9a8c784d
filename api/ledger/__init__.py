"""The ledger in the store: posting, riders between posts, replays, the hash chain, verification."""
