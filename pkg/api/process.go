package api

import (
	"encoding/json"
	"net/http"

	"tocsin/pkg/metrics"
)

// ok answers whoever asks for health or readiness, as Alertmanager does: a
// process that answers is both, for it keeps no state that it would have to load.
func ok(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("OK")) }

// gone answers requests to Alertmanager's API v1, in the words of Alertmanager,
// which removed it in 0.27.
func gone(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusGone)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"status": "deprecated",
		"error":  "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API",
	})
}

func (a *api) reload(w http.ResponseWriter, r *http.Request) {
	if err := a.Reload(r.Context()); err != nil {
		a.Log.ErrorContext(r.Context(), "configuration not reloaded; the old one stays in force", "err", err)
		http.Error(w, "failed to reload config: "+err.Error(), http.StatusInternalServerError)
	}
}

// metrics tells what was counted in this process, and how things stand in the
// store, which all instances on it tell alike.
func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	text := append(a.Metrics.Text(), a.standing(r.Context()).Text()...)
	w.Header().Set("Content-Type", metrics.ContentType)
	_, _ = w.Write(text)
}
