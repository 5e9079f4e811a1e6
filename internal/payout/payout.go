// Package payout hands payouts to whoever pays. A person does it by an export (Manual); another system is told by a signed request
// (Webhook). Neither says that money has moved: the outcome is reported afterwards.
package payout

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// Order is one attempt to pay. Key names it, always by the same text, so that a provider which sees it twice pays once. Amount is in minor
// units of the currency.
type Order struct {
	Key                   string `json:"provider_key"`
	PayoutID              string `json:"payout_id"`
	Attempt               int64  `json:"attempt"`
	ParticipantID         string `json:"participant_id"`
	ParticipantExternalID string `json:"participant_external_id"`
	Currency              string `json:"currency"`
	Amount                int64  `json:"amount"`
	Test                  bool   `json:"test"`
}

// Provider takes orders.
type Provider interface {
	// Send hands an order over. An error that is ErrRefused says that it will not be paid; with any other that is not known, and the
	// same order has to be sent again.
	Send(ctx context.Context, o Order) error
}

// ErrRefused says that a provider will not pay.
var ErrRefused = errors.New("the provider refused the payout")

// Manual is the provider that is a person.
type Manual struct{}

// Send implements Provider. There is nothing to send: the person has the order already.
func (Manual) Send(context.Context, Order) error { return nil }

// Providers makes providers, which share a client.
type Providers struct {
	client       *http.Client
	allowPrivate bool
}

// New returns providers that reach public addresses only. With allowPrivate, which is for tests and closed networks, they reach any,
// by http too.
func New(allowPrivate bool) *Providers {
	return &Providers{client: newClient(allowPrivate), allowPrivate: allowPrivate}
}

// Webhook returns the provider behind an address. Requests are signed with the secret.
func (p *Providers) Webhook(address string, secret []byte) Provider {
	return webhook{client: p.client, address: address, secret: secret, now: time.Now}
}

// LogText is an error for the log, without the address that it was sent to, which can hold a secret.
func LogText(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Op + ": " + u.Err.Error()
	}
	return err.Error()
}
