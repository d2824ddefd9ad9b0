package app

import (
	"context"
	"net/http"

	"tocsin/pkg/api"
	"tocsin/pkg/config"
)

// handler is the HTTP surface of one configuration.
func (s *Server) handler(a *App, cfg *config.Config) (http.Handler, error) {
	shown, err := cfg.AlertmanagerYAML()
	if err != nil {
		return nil, err
	}
	var receivers []api.Receiver
	for _, r := range cfg.Receivers {
		receivers = append(receivers, api.Receiver{Name: r.Name})
	}
	return api.New(api.Options{
		Engine: a.engine, Now: s.options.Now, Log: a.log, Metrics: s.metrics, Wake: s.Wake, Reload: s.Reload,
		Receivers: receivers, ResolveTimeout: cfg.Global.ResolveTimeout.Std(), Config: shown,
		Version: api.Version{Revision: Version}, Started: s.started,
		Name: s.options.Name, Peers: func(ctx context.Context) []api.Peer { return s.peers(ctx) },
		Classic: s.options.Classic, RoutePrefix: s.options.RoutePrefix,
	}), nil
}
