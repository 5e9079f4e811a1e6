package engine

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/grapevine-referrals/grapevine/internal/store"
)

var errPreview = errors.New("a preview writes nothing")

// preview runs work in a transaction of which nothing stays.
func preview(ctx context.Context, st *store.Store, s Scope, work func(ctx context.Context, tx *store.Tx) error) error {
	err := st.InTx(ctx, s.Workspace, func(ctx context.Context, tx *store.Tx) error {
		if err := work(ctx, tx); err != nil {
			return err
		}
		return errPreview
	})
	if errors.Is(err, errPreview) {
		return nil
	}
	return err
}

// PreviewSignup decides a signup as if it came now, and writes nothing.
func (e *Engine) PreviewSignup(ctx context.Context, st *store.Store, s Scope, n NewSignup) (Attributed, error) {
	var out Attributed
	err := preview(ctx, st, s, func(ctx context.Context, tx *store.Tx) (err error) {
		n.ExternalID = uuid.NewString() // a preview is never the repetition of a signup
		out, err = e.CreateSignup(ctx, tx, s, n)
		return err
	})
	return out, err
}

// PreviewConversion judges a conversion as if it came now, and writes nothing.
func (e *Engine) PreviewConversion(ctx context.Context, st *store.Store, s Scope, n NewConversion) (Converted, error) {
	var out Converted
	err := preview(ctx, st, s, func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = e.RecordConversion(ctx, tx, s, n)
		return err
	})
	return out, err
}
