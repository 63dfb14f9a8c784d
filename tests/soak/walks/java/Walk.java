import com.fasterxml.jackson.core.type.TypeReference;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import rs.ApiClient;
import rs.api.EntriesApi;
import rs.api.EventsApi;
import rs.api.RidersApi;
import rs.model.AppealAsked;
import rs.model.CardShown;
import rs.model.EntryPage;
import rs.model.EntryShown;
import rs.model.Event;
import rs.model.EventAnswers;
import rs.model.EventBatch;
import rs.model.PostEventsRequest;

/** The way of an event with the Java client that openapi-generator makes: posted, seen on the card, found page by page, appealed. */
public final class Walk {
    private static ApiClient caller(String address, String key) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(address);
        client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + key));
        return client;
    }

    public static void main(String[] args) throws Exception {
        ApiClient platform = caller(args[0], args[1]), rider = caller(args[0], args[2]);
        List<Event> events = platform.getObjectMapper().readValue(args[3], new TypeReference<List<Event>>() {});
        String riderId = events.get(0).getRiderId();

        EventBatch batch = new EventBatch().events(events);
        EventAnswers posted = new EventsApi(platform).postEvents(new PostEventsRequest(batch), null, "java-1");
        CardShown card = new RidersApi(rider).getCard(riderId, null, "zh");

        List<EntryShown> entries = new ArrayList<>();
        String cursor = null;
        do {
            EntryPage page = new RidersApi(rider).listEntries(riderId, cursor, 1, null);
            entries.addAll(page.getItems());
            cursor = page.getCursor();
        } while (cursor != null);

        AppealAsked appeal = new AppealAsked().reasonCode(AppealAsked.ReasonCodeEnum.MERCHANT_SLOW).reason("商家出餐慢");
        var filed = new EntriesApi(rider).postAppeal(entries.get(0).getEntryId(), appeal, null, null);

        Map<String, Object> said = new LinkedHashMap<>();
        said.put("num_scored", posted.getNumScored());
        said.put("score_mp", card.getScoreMp());
        said.put("last_score_mp", entries.get(0).getScoreAfterMp());
        said.put("seqs", entries.stream().map(EntryShown::getSeq).toList());
        said.put("appealed", filed.getEntryId().equals(entries.get(0).getEntryId()));
        said.put("state", filed.getState().getValue());
        System.out.println(platform.getObjectMapper().writeValueAsString(said));
    }
}
