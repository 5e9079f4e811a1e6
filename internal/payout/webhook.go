package payout

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

const (
	sendTimeout = 15 * time.Second
	mostAnswer  = 64 << 10 // bytes of an answer that are read

	secretPrefix = "whsec_"
)

// webhook posts orders, signed by the scheme of Standard Webhooks.
type webhook struct {
	client  *http.Client
	address string
	secret  []byte
	now     func() time.Time
}

// Send implements Provider. An answer of 2xx accepts the order. One of 4xx refuses it, unless it only asks to come again. Redirects are
// not followed.
func (w webhook) Send(ctx context.Context, o Order) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %v", ErrRefused, err)
	}
	at := strconv.FormatInt(w.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Grapevine")
	req.Header.Set("Idempotency-Key", o.Key)
	req.Header.Set("webhook-id", o.Key)
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", Sign(w.secret, o.Key, at, body))
	res, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, mostAnswer)
	switch status := res.StatusCode; {
	case status >= 200 && status < 300:
		return nil
	case status >= 400 && status < 500 && !again[status]:
		return fmt.Errorf("%w with status %d", ErrRefused, status)
	default:
		return fmt.Errorf("the provider answered with status %d", status)
	}
}

// again are the refusals that only ask to come back later.
var again = map[int]bool{
	http.StatusRequestTimeout: true, http.StatusConflict: true, http.StatusTooEarly: true, http.StatusTooManyRequests: true,
	http.StatusUnauthorized: true, http.StatusForbidden: true, http.StatusNotFound: true, // of the set-up, not of the order
}

// Sign gives the signature of a message: "v1," and the HMAC-SHA256, in base 64, of id, time in seconds and body with dots between.
func Sign(secret []byte, id, at string, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(id + "." + at + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// SecretText is how a secret is shown, once: "whsec_" and its base 64.
func SecretText(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}
