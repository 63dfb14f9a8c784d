"""Post a delivery to a running service, read the rider's card and entries.

    export RIDERSCORE_URL=http://localhost:8000 RIDERSCORE_KEY=rs_…
    python examples/post_events.py

The key is one of role `platform` (`riderscore token create --role platform --subject dispatch-1 --city hangzhou`).
"""

import datetime as dt
import os

import riderscore as rs


def main() -> None:
    """Post one delivery, four minutes late."""
    now = dt.datetime.now(dt.UTC)
    delivery = {
        "event_id": f"example-{now:%Y%m%d%H%M%S}",
        "rider_id": "r7",
        "city": "hangzhou",
        "rider_kind": "crowdsourced",
        "kind": "delivered",
        "order_id": f"o-{now:%Y%m%d%H%M%S}",
        "occurred_at": now.isoformat(),
        "promised_at": (now - dt.timedelta(minutes=4)).isoformat(),
        "fee_fen": 500,
    }
    with rs.Client(os.environ["RIDERSCORE_URL"], os.environ["RIDERSCORE_KEY"]) as client:
        answer = client.post_events(delivery, idempotency_key=delivery["event_id"])
        print("event:", answer["results"][0]["status"])
        card = client.card("r7")
        print("score:", card["score_mp"] / 1000)
        for entry in client.entries("r7"):
            print(entry["sentence"])


if __name__ == "__main__":
    main()
