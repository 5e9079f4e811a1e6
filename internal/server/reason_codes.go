package server

import (
	"context"

	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/rules/reason"
)

// ListReasonCodes explains every reason that an answer can carry.
func (h handlers) ListReasonCodes(context.Context, api.ListReasonCodesRequestObject) (api.ListReasonCodesResponseObject, error) {
	list := api.ReasonCodeList{Data: make([]api.ReasonCodeEntry, 0, len(reason.Catalogue))}
	for _, e := range reason.Catalogue {
		list.Data = append(list.Data, api.ReasonCodeEntry{Code: toReason(e.Code), Title: e.Title, Description: e.Description})
	}
	return api.ListReasonCodes200JSONResponse{Body: list}, nil
}
