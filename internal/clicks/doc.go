// Package clicks is the path of a visitor through a link: find the code, store the click, send the visitor on.
//
// # Words
//
// A click is a stored visit; its class says who stands behind it (human, bot, prefetch, repeat). A lane is the one queue and the one
// writer through which the clicks of redirects go. A batch is what a lane commits at once. A marker is the row of click_batches that
// says of a committed batch that the statistics do not hold it yet; folding a batch is adding it to the statistics and deleting its
// marker.
//
// # What a caller may rely on
//
//   - A destination with a click id is an acknowledgement: the click is committed. Without a commit that is known to have happened, for
//     whatever reason (no database, a full queue, a cut connection, an answer that took too long), the visitor is sent on without an id.
//   - A click costs no wait of its own: there is no timer. A batch is what arrived while the batch before was being committed.
//   - Robots, prefetches and HEAD requests are stored and flagged, and get no id. Repeats are stored and flagged, and get one.
//   - What is known of codes and workspaces is at most 2 s old, and is used for a day more while the database cannot be asked.
//     Changes made by this process are seen at once when it calls Forget.
//   - Statistics are exact at every read: what is folded and what is not is counted by one statement, on one snapshot.
//   - Addresses, agents and visitor ids are stored as keyed hashes only. Those of addresses and agents change with the UTC day.
package clicks
