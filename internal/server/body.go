package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/oapi-codegen/runtime"

	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/strictjson"
)

// readBody reads the document of a request within the size limit of its operation.
//
// unread ends the request at once: the body is too large, or did not arrive whole, after which net/http takes the sender for gone.
// malformed waits until the caller is known, so that somebody without a key learns only that.
func readBody(w http.ResponseWriter, r *http.Request, req *request) (unread, malformed error) {
	limit := req.op.bodyLimit
	if r.ContentLength > limit {
		giveUp(w)
		return tooLargeProblem(limit), nil
	}
	if req.op.body == nil {
		return refuseBody(w, r)
	}
	data, err := readAll(http.MaxBytesReader(w, r.Body, limit), r.ContentLength)
	if err != nil {
		giveUp(w)
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLargeProblem(limit), nil
		}
		return cutOff(err), nil
	}
	if err := checkMediaType(r.Header, len(data) > 0); err != nil {
		return nil, err
	}
	if len(data) == 0 {
		if req.op.bodyRequired {
			return nil, problem.MalformedRequest.With("A JSON body is required.")
		}
		return nil, nil
	}
	if req.body, err = strictjson.Parse(data); err != nil {
		return nil, problem.MalformedRequest.With("The body cannot be accepted: " + err.Error() + ".")
	}
	req.hasBody = true
	return nil, nil
}

// giveUp ends the connection after the answer: the rest of the body is not worth waiting for.
func giveUp(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(lingerTime)) // net/http reads on for a while otherwise
}

func tooLargeProblem(limit int64) error {
	return problem.PayloadTooLarge.With(fmt.Sprintf("A body may have at most %d bytes here.", limit))
}

// readAll is io.ReadAll with the announced size as the first guess.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	data := make([]byte, 0, max(announced, 0)+512)
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

// refuseBody allows an empty body only: one that nobody reads could mean anything to somebody in between.
func refuseBody(w http.ResponseWriter, r *http.Request) (unread, malformed error) {
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	var b [1]byte
	switch n, err := io.ReadFull(r.Body, b[:]); {
	case n > 0:
		giveUp(w)
		return nil, problem.MalformedRequest.With("This operation takes no body.")
	case err != io.EOF:
		giveUp(w)
		return cutOff(err), nil
	}
	return nil, nil
}

func cutOff(err error) error {
	return problem.MalformedRequest.With("The body could not be read to its end.").Wrap(err)
}

// checkMediaType accepts application/json, in UTF-8 if a charset is named at all, and not compressed.
func checkMediaType(h http.Header, hasBody bool) error {
	types := h.Values("Content-Type")
	if len(types) == 0 && !hasBody {
		return nil
	}
	if len(types) == 1 && len(h.Values("Content-Encoding")) == 0 {
		media, parameters, err := mime.ParseMediaType(types[0])
		charset, hasCharset := parameters["charset"]
		if err == nil && media == "application/json" && (len(parameters) == 0 || len(parameters) == 1 && hasCharset &&
			strings.EqualFold(charset, "utf-8")) {
			return nil
		}
	}
	return problem.UnsupportedMediaType.With("Send the body as application/json in UTF-8, not compressed.")
}

// binder hands the validated document to the generated code. Names are matched exactly and nothing is decoded a second time:
// the handler sees the value that was validated.
type binder struct{}

func (binder) Bind(target any, c echo.Context) error {
	req := requestFrom(c.Request().Context())
	if !req.hasBody {
		return io.EOF // how the generated code knows an absent optional body
	}
	if err := runtime.BindJSONValue(req.body, target); err != nil {
		return problem.MalformedRequest.With("The body cannot be read as the contract describes it.").Wrap(err)
	}
	return nil
}
