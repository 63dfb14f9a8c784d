// The way of an event with the Go client that openapi-generator makes: posted, seen on the card, found page by page, appealed.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	rs "riderscore.invalid/client"
)

func caller(address, key string) *rs.APIClient {
	config := rs.NewConfiguration()
	config.Servers = rs.ServerConfigurations{{URL: address}}
	config.AddDefaultHeader("Authorization", "Bearer "+key)
	return rs.NewAPIClient(config)
}

func need(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	ctx, platform, rider := context.Background(), caller(os.Args[1], os.Args[2]), caller(os.Args[1], os.Args[3])
	var events []rs.Event
	need(json.Unmarshal([]byte(os.Args[4]), &events))

	body := rs.PostEventsRequest{EventBatch: rs.NewEventBatch(events)}
	posted, _, err := platform.EventsAPI.PostEvents(ctx).PostEventsRequest(body).IdempotencyKey("go-1").Execute()
	need(err)
	card, _, err := rider.RidersAPI.GetCard(ctx, events[0].RiderId).AcceptLanguage("zh").Execute()
	need(err)

	var entries []rs.EntryShown
	for cursor := ""; ; {
		asked := rider.RidersAPI.ListEntries(ctx, events[0].RiderId).Limit(1)
		if cursor != "" {
			asked = asked.Cursor(cursor)
		}
		page, _, err := asked.Execute()
		need(err)
		entries = append(entries, page.Items...)
		if cursor = page.GetCursor(); cursor == "" {
			break
		}
	}

	appeal := rs.NewAppealAsked("merchant_slow", "商家出餐慢")
	filed, _, err := rider.EntriesAPI.PostAppeal(ctx, entries[0].EntryId).AppealAsked(*appeal).Execute()
	need(err)

	seqs := []int64{}
	for _, entry := range entries {
		seqs = append(seqs, entry.Seq)
	}
	said, err := json.Marshal(map[string]any{
		"num_scored":    posted.NumScored,
		"score_mp":      card.ScoreMp,
		"last_score_mp": entries[0].ScoreAfterMp,
		"seqs":          seqs,
		"appealed":      filed.EntryId == entries[0].EntryId,
		"state":         filed.State,
	})
	need(err)
	fmt.Println(string(said))
}
