package engine

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/store"
)

// errPreview undoes the transaction of a preview.
var errPreview = errors.New("a preview writes nothing")

// PreviewSignup decides a signup as if it came now, and writes nothing.
func (e *Engine) PreviewSignup(ctx context.Context, st *store.Store, s Scope, n NewSignup) (Attributed, error) {
	var out Attributed
	err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		n.ExternalID = uuid.NewString() // a preview is never the repetition of a signup
		if out, err = e.CreateSignup(ctx, tx, s, n); err != nil {
			return err
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	return out, err
}

// PreviewConversion judges a conversion as if it came now, and writes nothing.
func (e *Engine) PreviewConversion(ctx context.Context, st *store.Store, s Scope, n NewConversion) (Converted, error) {
	var out Converted
	err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) (err error) {
		if out, err = e.RecordConversion(ctx, tx, s, n); err != nil {
			return err
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	return out, err
}
