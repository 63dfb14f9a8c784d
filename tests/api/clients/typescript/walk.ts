// The way of an event with the types that openapi-typescript makes of the document: posted, seen on the card, found page by
// page, appealed. Prints what it saw as one line of JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

type Event = components["schemas"]["Event"];
type Entry = components["schemas"]["EntryShown"];

const [address, platformKey, riderKey, deliveries] = process.argv.slice(2) as [string, string, string, string];
const events: Event[] = JSON.parse(deliveries);
const riderId = events[0]!.rider_id;

function caller(key: string) {
  return createClient<paths>({ baseUrl: address, headers: { Authorization: `Bearer ${key}` } });
}

const platform = caller(platformKey);
const rider = caller(riderKey);

// @ts-expect-error a number is no event
const noEvent: Event = 42;
// @ts-expect-error nor is an object that says nothing
const emptyEvent: Event = {};
// @ts-expect-error nor one of a kind that nobody knows
const unknownKind: Event = { ...events[0]!, kind: "eaten" };
void [noEvent, emptyEvent, unknownKind];

const posted = await platform.POST("/v1/events", {
  params: { header: { "Idempotency-Key": "typescript-1" } },
  body: { events },
});
if (posted.error) throw new Error(posted.error.detail);

const card = await rider.GET("/v1/riders/{rider_id}/card", {
  params: { path: { rider_id: riderId }, header: { "Accept-Language": "zh" } },
});
if (!card.data) throw new Error(card.error?.detail);

const entries: Entry[] = [];
let cursor: string | undefined;
do {
  const page = await rider.GET("/v1/riders/{rider_id}/entries", {
    params: { path: { rider_id: riderId }, query: { limit: 1, cursor } },
  });
  if (!page.data) throw new Error(page.error?.detail);
  entries.push(...page.data.items);
  cursor = page.data.cursor ?? undefined;
} while (cursor !== undefined);

const deducted = entries.find((entry) => entry.kind === "deduct");
if (!deducted) throw new Error("no deduction");
const appeal = await rider.POST("/v1/entries/{entry_id}/appeal", {
  params: { path: { entry_id: deducted.entry_id } },
  body: { reason_code: "merchant_slow", reason: "商家出餐慢" },
});
if (!appeal.data) throw new Error(appeal.error?.detail);

console.log(
  JSON.stringify({
    num_scored: posted.data.num_scored,
    score_mp: card.data.score_mp,
    last_score_mp: entries[0]!.score_after_mp,
    seqs: entries.map((entry) => entry.seq),
    appealed: appeal.data.entry_id === deducted.entry_id,
    state: appeal.data.state,
  }),
);
