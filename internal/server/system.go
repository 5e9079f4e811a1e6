package server

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/grapevine-referrals/grapevine/gen"
	"github.com/grapevine-referrals/grapevine/gen/api"
	"github.com/grapevine-referrals/grapevine/internal/problem"
	"github.com/grapevine-referrals/grapevine/internal/server/docs"
)

const readyTimeout = 2 * time.Second

// system answers the operations about the server itself.
type system struct {
	ready    func(context.Context) error // whether requests can be worked on
	registry *prometheus.Registry
}

// GetLiveness answers as long as the process can.
func (system) GetLiveness(context.Context, api.GetLivenessRequestObject) (api.GetLivenessResponseObject, error) {
	return api.GetLiveness200JSONResponse{Body: api.Health{Status: api.HealthStatusOk}}, nil
}

// GetReadiness answers while requests can be worked on.
func (s system) GetReadiness(ctx context.Context, _ api.GetReadinessRequestObject) (api.GetReadinessResponseObject, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.ready(ctx); err != nil {
		return nil, problem.Unavailable.With("The server is starting, shutting down, or cannot reach its database.").Wrap(err)
	}
	return api.GetReadiness200JSONResponse{Body: api.Health{Status: api.HealthStatusOk}}, nil
}

// GetMetrics writes the metrics in the text format of Prometheus.
func (s system) GetMetrics(context.Context, api.GetMetricsRequestObject) (api.GetMetricsResponseObject, error) {
	families, err := s.registry.Gather()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			return nil, err
		}
	}
	return api.GetMetrics200TextResponse{Body: text.String()}, nil
}

// The three below are documents, see pages: strict answers would encode them anew for every request.

// GetOpenAPIYaml is never reached.
func (system) GetOpenAPIYaml(context.Context, api.GetOpenAPIYamlRequestObject) (api.GetOpenAPIYamlResponseObject, error) {
	return nil, problem.NotFound
}

// GetOpenAPIJSON is never reached.
func (system) GetOpenAPIJSON(context.Context, api.GetOpenAPIJSONRequestObject) (api.GetOpenAPIJSONResponseObject, error) {
	return nil, problem.NotFound
}

// GetDocs is never reached.
func (system) GetDocs(context.Context, api.GetDocsRequestObject) (api.GetDocsResponseObject, error) {
	return nil, problem.NotFound
}

// pages serves what is the same for everybody: the published contract, byte for byte, and its rendered form.
func pages() *http.ServeMux {
	mux := docs.Handler()
	for path, file := range map[string]struct {
		mediaType string
		content   []byte
	}{
		"GET /openapi.yaml": {"application/yaml", gen.OpenAPIYAML},
		"GET /openapi.json": {"application/json", gen.OpenAPIJSON},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", file.mediaType)
			w.Header().Set("Content-Length", strconv.Itoa(len(file.content)))
			_, _ = w.Write(file.content)
		})
	}
	return mux
}

// page gives the handler of a page, or nil when the path is none.
func (s *Server) page(r *http.Request) http.Handler {
	if !strings.HasPrefix(r.URL.Path, "/docs") && !strings.HasPrefix(r.URL.Path, "/openapi.") {
		return nil
	}
	if h, pattern := s.pages.Handler(r); pattern != "" {
		return h
	}
	return nil
}
