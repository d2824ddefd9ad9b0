package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// refreshEvery is how often the server is asked whether anything changed.
	refreshEvery = time.Minute
	// maxServices bounds a configuration.
	maxServices = 256
	// minInterval and maxInterval bound how often a service is collected.
	minInterval, maxInterval = time.Second, 24 * time.Hour
)

// service is one thing to collect.
type service struct {
	name, plugin string
	interval     time.Duration
}

// refresh keeps the configuration up to date until ctx ends. While the server is
// away the last one stays in force.
func (a *Agent) refresh(ctx context.Context) {
	var wait backoff
	problem := trouble{log: a.log}
	for {
		body, etag, err := a.client.config(ctx, a.config.ETag)
		if err == nil && body != nil {
			err = a.adopt(ctx, body, etag)
		}
		if ctx.Err() != nil {
			return
		}
		next := refreshEvery
		if err != nil {
			problem.is("the configuration cannot be read; the last one stays in force", err)
			next = wait.next(asRefusal(err).after)
			a.edit(func(s *Status) { s.ConfigError = err.Error() })
		} else {
			problem.over("the configuration can be read again")
			wait = backoff{}
			now := time.Now()
			a.edit(func(s *Status) { s.ConfigRead, s.ConfigError = &now, "" })
		}
		if !sleep(ctx, next) {
			return
		}
	}
}

// adopt makes body the configuration, and keeps it for the next start.
func (a *Agent) adopt(ctx context.Context, body []byte, etag string) error {
	if _, _, err := parseServices(body); err != nil {
		return &refusal{message: "the server's configuration is not understood", err: err, after: refusedWait}
	}
	changed := !bytes.Equal(body, a.config.Body)
	a.config = savedConfig{Address: a.client.address, ETag: etag, Body: body}
	if !changed {
		return nil
	}
	services := a.config.services(a.log)
	a.scheduler.apply(ctx, services)
	a.log.Info("the configuration is in force", "services", len(services))
	if err := a.config.save(a.state); err != nil {
		a.log.Warn("the configuration was not kept for the next start: see to the state directory", "err", err)
	}
	return nil
}

// parseServices reads {"services": {"LinuxCPU": ["cpu", 15]}}. What is wrong with
// single services does not keep the others from being collected: it comes back
// as faults.
func parseServices(body []byte) (services []service, faults []error, err error) {
	var c struct {
		Services map[string]json.RawMessage `json:"services"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, nil, err
	}
	if c.Services == nil {
		return nil, nil, errors.New(`there is no "services" in it`)
	}
	if len(c.Services) > maxServices {
		return nil, nil, fmt.Errorf("it has %d services, and an agent takes %d", len(c.Services), maxServices)
	}
	for name, raw := range c.Services {
		s, err := parseService(name, raw)
		if err != nil {
			faults = append(faults, fmt.Errorf("service %q is left out: %w", name, err))
			continue
		}
		services = append(services, s)
	}
	slices.SortFunc(services, func(a, b service) int { return cmp.Compare(a.name, b.name) })
	slices.SortFunc(faults, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return services, faults, nil
}

func parseService(name string, raw []byte) (service, error) {
	s := service{name: name}
	var seconds float64
	pair := []any{&s.plugin, &seconds}
	switch err := json.Unmarshal(raw, &pair); {
	case err != nil || len(pair) != 2:
		return s, errors.New(`it is not ["plugin", seconds]`)
	case name == "" || len(name) > 256:
		return s, errors.New("its name is empty or longer than 256 bytes")
	case !(seconds >= minInterval.Seconds() && seconds <= maxInterval.Seconds()):
		return s, fmt.Errorf("its interval is not between %s and %s", minInterval, maxInterval)
	}
	s.interval = time.Duration(seconds * float64(time.Second))
	return s, nil
}

// savedConfig is the configuration as the server gave it, and as it is kept on
// disk for a start at which the server is away.
type savedConfig struct {
	// Address says whose it is: that of another server or host is not used.
	Address string          `json:"address"`
	ETag    string          `json:"etag"`
	Body    json.RawMessage `json:"body"`
}

const configFile = "config.json"

// loadConfig reads what save wrote; what is damaged counts as missing.
func loadConfig(dir, address string, log *slog.Logger) savedConfig {
	var c savedConfig
	text, err := os.ReadFile(filepath.Join(dir, configFile))
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err == nil {
		_, _, err = parseServices(c.Body)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		log.Warn("the configuration of the last run cannot be read: nothing is collected until the server answers", "err", err)
	}
	if err != nil || c.Address != address {
		return savedConfig{}
	}
	return c
}

// save replaces the file as a whole, so that a crash leaves the old or the new
// one.
func (c savedConfig) save(dir string) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, configFile+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), filepath.Join(dir, configFile))
}

// services are those that c names. What is left out is logged.
func (c savedConfig) services(log *slog.Logger) []service {
	if c.Body == nil {
		return nil
	}
	services, faults, err := parseServices(c.Body)
	for _, err := range append(faults, err) {
		if err != nil {
			log.Warn("the server's configuration has a fault", "err", err)
		}
	}
	return services
}
