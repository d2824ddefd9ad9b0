package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

	"tocsin/pkg/app"
)

// serve polls and delivers until it is told to stop.
func serve(ctx context.Context, c *call) error {
	file := c.flags.String("config.file", "", "")
	dir := c.flags.String("storage.path", "data", "")
	if err := c.parse(0, 0); err != nil {
		return err
	}
	cfg, err := c.load(*file)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, nil))
	a, err := app.New(ctx, cfg, app.Options{
		Lookup: c.lookup, Now: time.Now, Log: log, Store: "bolt:" + filepath.Join(*dir, "tocsin.db"),
	})
	if err != nil {
		return err
	}
	log.Info("watching", "clusters", len(cfg.Lag.Clusters), "every", cfg.Lag.Every())
	err = a.Serve(ctx, time.Now)
	log.Info("stopped: what is still owed is said at the next start")
	if cerr := a.Close(); err == nil {
		err = cerr
	}
	return err
}
