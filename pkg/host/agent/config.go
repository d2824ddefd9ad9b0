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
	// refreshInterval is how often the agent asks the server for changes.
	refreshInterval = time.Minute
	// maxServices bounds a configuration.
	maxServices = 256
	// maxServiceName is in bytes.
	maxServiceName = 256
	// minInterval and maxInterval bound how often a service is collected.
	minInterval, maxInterval = time.Second, 24 * time.Hour
)

// service is one kind of data to collect.
type service struct {
	name, plugin string
	interval     time.Duration
}

// refreshConfig keeps the configuration up to date until ctx is done. While the
// server does not respond the last configuration stays in use.
func (a *Agent) refreshConfig(ctx context.Context) {
	var retry backoff
	failures := failureLog{log: a.log}
	for {
		body, etag, err := a.client.config(ctx, a.config.ETag)
		if err == nil && body != nil {
			err = a.applyConfig(ctx, body, etag)
		}
		if ctx.Err() != nil {
			return
		}
		wait := refreshInterval
		if err != nil {
			failures.failed("the configuration cannot be read and the last one stays in use", err)
			wait = retry.next(asRequestError(err).retryAfter)
			a.updateStatus(func(s *Status) { s.ConfigError = err.Error() })
		} else {
			failures.recovered("the configuration can be read again")
			retry = backoff{}
			now := time.Now()
			a.updateStatus(func(s *Status) { s.ConfigRead, s.ConfigError = &now, "" })
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// applyConfig makes body the configuration and saves it for the next start.
func (a *Agent) applyConfig(ctx context.Context, body []byte, etag string) error {
	if _, _, err := parseServices(body); err != nil {
		return &requestError{message: "the server's configuration is invalid", err: err, retryAfter: refusedBackoff}
	}
	changed := !bytes.Equal(body, a.config.Body)
	a.config = savedConfig{Address: a.client.baseURL, ETag: etag, Body: body}
	if !changed {
		return nil
	}
	services := a.config.services(a.log)
	a.scheduler.apply(ctx, services)
	a.log.Info("configuration applied", "services", len(services))
	if err := a.config.save(a.stateDir); err != nil {
		a.log.Warn("the configuration cannot be saved for the next start: check the state directory", "err", err)
	}
	return nil
}

// parseServices parses {"services": {"LinuxCPU": ["cpu", 15]}}. A service that is
// invalid does not prevent the others: it is returned among the faults.
func parseServices(body []byte) (services []service, faults []error, err error) {
	var c struct {
		Services map[string]json.RawMessage `json:"services"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return nil, nil, err
	}
	if c.Services == nil {
		return nil, nil, errors.New(`it has no "services"`)
	}
	if len(c.Services) > maxServices {
		return nil, nil, fmt.Errorf("it has %d services: at most %d are allowed", len(c.Services), maxServices)
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
	case name == "" || len(name) > maxServiceName:
		return s, fmt.Errorf("its name is empty or longer than %d bytes", maxServiceName)
	case !(seconds >= minInterval.Seconds() && seconds <= maxInterval.Seconds()):
		return s, fmt.Errorf("its interval is not between %s and %s", minInterval, maxInterval)
	}
	s.interval = time.Duration(seconds * float64(time.Second))
	return s, nil
}

// savedConfig is the last configuration of the server. It is saved on disk for a
// start at which the server does not respond.
type savedConfig struct {
	// Address is the base URL that the configuration came from. That of another
	// server or host is ignored.
	Address string          `json:"address"`
	ETag    string          `json:"etag"`
	Body    json.RawMessage `json:"body"`
}

const configFile = "config.json"

// loadConfig reads the file that save wrote. A damaged file counts as missing.
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
		log.Warn("the saved configuration cannot be read and nothing is collected until the server responds", "err", err)
	}
	if err != nil || c.Address != address {
		return savedConfig{}
	}
	return c
}

// save replaces the file as a whole: a crash leaves either the old or the new one.
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

// services returns the valid services of c and logs the faults of the others.
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
