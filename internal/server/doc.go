// Package server is the HTTP edge: the only package that speaks HTTP and the only one that knows Echo.
//
// A request gets an id, is refused if its head, path or size is odd, and is routed to its operation of the contract; its body is
// read once, strictly, its sender is authenticated and its quota checked, and everything it says is held against the contract
// (edge.go, body.go, auth.go, validate.go). The handler of the operation, one file per tag, gets typed values, asks the engine or
// one query, and answers a generated response or a problem. Problems, panics and everything else that went wrong become problem
// documents in one place (errors.go), and log and metrics are written when the answer is out.
//
// # Writing a handler
//
// A handler is a method of handlers with the signature of api.StrictServerInterface:
//
//	func (h handlers) GetReward(ctx context.Context, req api.GetRewardRequestObject) (api.GetRewardResponseObject, error) {
//		ws := h.scope(ctx).Workspace
//		row, err := h.q.GetReward(ctx, h.store.DB(ws), db.GetRewardParams{WorkspaceID: ws, ID: req.RewardID})
//		if err != nil {
//			return nil, orNotFound(err, "the reward")
//		}
//		return api.GetReward200JSONResponse{Body: toReward(row)}, nil
//	}
//
// What has reached a handler is valid by the contract: formats, bounds, enums, exact names, defaults filled in. Times may carry any
// zone. Problems are returned as errors, never as generated problem responses. Headers of a response that are pointers are left nil:
// the edge sets them.
//
// A POST does its work in once, which claims the Idempotency-Key, runs the work in the same transaction and stores the answer;
// onceSecret is for answers that show a secret. One that stores nothing goes without, and has x-replayed: false in the contract.
// Lists use pageFrom and nextPage. PATCH gets its If-Match by versionFrom and answers etag. A look-up by something that can be
// guessed asks h.edge.misses.check before and h.edge.misses.miss when it found nothing. After revoking a key: h.edge.auth.forget.
//
// # Texts
//
// Names (name, display_name) are stored in the normal form NFC, without characters that only direct or hide other text; control
// characters are refused, as the contract's patterns say. Codes and identifiers are refused for either. See text.go.
package server
