"""Score a data frame, look at the riders, keep what was rejected: `python examples/data_frames.py`, beside day.csv."""

from pathlib import Path

import pandas as pd

import riderscore as rs


def main() -> None:
    """Score day.csv as a data frame of pandas."""
    events = pd.read_csv(Path(__file__).parent / "day.csv")
    ledger = rs.score(events, book="taobao-crowdsourced")
    print(
        ledger.riders[["rider_id", "score_mp", "tier", "num_on_time", "num_late", "num_exempt"]].to_string(index=False)
    )
    print(f"{len(ledger.rejects)} rows rejected")
    print(ledger.explain("r7", event="e4"))


if __name__ == "__main__":
    main()
