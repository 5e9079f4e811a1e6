package payout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var order = Order{Key: "p_1", PayoutID: "p", Attempt: 1, ParticipantID: "a", ParticipantExternalID: "user-1", Currency: "USD", Amount: 4500}

// The example of the published scheme, so that receivers can use any library for it.
func TestSignatureIsThatOfStandardWebhooks(t *testing.T) {
	t.Parallel()
	secret := []byte("\x31\xf2\xa3\xc4" + strings.Repeat("k", 28))
	got := Sign(secret, "msg_1", "1614265330", []byte(`{"test": 2432232314}`))
	if !strings.HasPrefix(got, "v1,") || len(got) != 47 || got == Sign(secret, "msg_1", "1614265331", []byte(`{"test": 2432232314}`)) {
		t.Errorf("the signature is %s", got)
	}
	// Key and message of the reference tests of the scheme.
	key := []byte{0x32, 0x6b, 0x1d, 0x4e}
	if a, b := Sign(key, "a", "1", []byte("2")), Sign(key, "a.1", "", []byte("2")); a == b {
		t.Errorf("other parts have the same signature %s", a)
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status  int
		refused bool
		failed  bool
	}{
		{200, false, false}, {202, false, false}, {204, false, false}, {301, false, true}, {307, false, true}, {400, true, true}, {404, false, true},
		{409, false, true}, {422, true, true}, {429, false, true}, {500, false, true}, {503, false, true},
	} {
		t.Run(fmt.Sprint(c.status), func(t *testing.T) {
			t.Parallel()
			asked := 0
			secret := []byte(strings.Repeat("s", 32))
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				body, _ := io.ReadAll(r.Body)
				var got Order
				if err := json.Unmarshal(body, &got); err != nil || got != order {
					t.Errorf("got %s", body)
				}
				if sign := Sign(secret, r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), body); r.Header.Get("webhook-signature") != sign {
					t.Errorf("signed %s, want %s", r.Header.Get("webhook-signature"), sign)
				}
				if r.Header.Get("webhook-id") != order.Key || r.Header.Get("Idempotency-Key") != order.Key {
					t.Errorf("headers %v", r.Header)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			}))
			defer s.Close()
			err := New(true).Webhook(s.URL, secret).Send(t.Context(), order)
			if (err != nil) != c.failed || errors.Is(err, ErrRefused) != c.refused || asked != 1 {
				t.Errorf("%v after %d requests", err, asked)
			}
			if err != nil && strings.Contains(LogText(err), s.URL) {
				t.Errorf("the log has the address: %s", LogText(err))
			}
		})
	}
}

// An answer without end costs no more than the part of it that is read.
func TestAnswersAreCut(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := New(true).Webhook(s.URL, nil).Send(ctx, order); err != nil {
		t.Error(err)
	}
}

// What is not public is not reached, even when its name or address was saved before.
func TestPrivateAddressesAreNotReached(t *testing.T) {
	t.Parallel()
	asked := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
	for _, address := range []string{s.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port} {
		err := New(false).Webhook(address, nil).Send(t.Context(), order)
		if err == nil || errors.Is(err, ErrRefused) || asked {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := New(true).Webhook(s.URL, nil).Send(t.Context(), order); err != nil || !asked {
		t.Errorf("allowed and not reached: %v", err)
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"1.1.1.1": true, "93.184.216.34": true, "2606:4700:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "127.9.9.9": false, "10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false,
		"198.18.0.1": false, "240.0.0.1": false, "192.0.0.8": false, "203.0.113.9": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "::ffff:10.0.0.1": false,
		"::7f00:1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "fec0::1": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://pay.example.com/hook?x=1": true, "https://pay.example.com:8443/": true, "https://1.1.1.1/": true, "https://[2606:4700:4700::1111]/": true,
		"http://pay.example.com/": false, "ftp://pay.example.com/": false, "https://": false, "pay.example.com": false, "https:pay.example.com": false,
		"https://user:pass@pay.example.com/": false, "https://pay.example.com/#x": false, "https://localhost/": false, "https://LOCALHOST./": false,
		"https://a.localhost/": false, "https://db.internal/": false, "https://printer.local/": false, "https://intranet/": false,
		"https://127.0.0.1/": false, "https://127.1/": false, "https://2130706433/": false, "https://0x7f.0.0.1/": false, "https://0x7f000001/": false,
		"https://017700000001/": false, "https://[::1]/": false, "https://[::ffff:127.0.0.1]/": false, "https://169.254.169.254/latest": false, "https://[fe80::1%25eth0]/": false,
		"https://10.0.0.1:443/": false, "https://a.0x7f/": false,
	} {
		if err := New(false).CheckAddress(address); (err == nil) != want {
			t.Errorf("%s: %v", address, err)
		}
	}
	if err := New(true).CheckAddress("http://127.0.0.1:9/"); err != nil {
		t.Error(err)
	}
}
