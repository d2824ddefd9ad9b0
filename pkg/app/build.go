package app

import (
	"fmt"
	"net/http"
	"strconv"

	"tocsin/pkg/config"
	"tocsin/pkg/lag"
	"tocsin/pkg/lag/ckafka"
	"tocsin/pkg/metrics"
	"tocsin/pkg/notify"
	"tocsin/pkg/outbox"
	"tocsin/pkg/render"
	"tocsin/pkg/store"
	"tocsin/pkg/tencent"
)

// newEnv returns the environment of channels. st may be nil.
func newEnv(cfg *config.Config, client *http.Client, st store.Store, o Options) notify.Env {
	return notify.Env{HTTP: client, Dial: o.dialer(), TLS: o.tls(), Now: o.Now, Lookup: o.Lookup, Store: st, Style: cfg.Global.Style()}
}

// buildReceivers builds every receiver with its channels.
func buildReceivers(cfg *config.Config, env notify.Env, m *metrics.Notifications, templates *render.Templates) ([]*outbox.Receiver, error) {
	receivers := make([]*outbox.Receiver, len(cfg.Receivers))
	for i := range cfg.Receivers {
		rc := &cfg.Receivers[i]
		r := &outbox.Receiver{Name: rc.Name}
		if rc.Fallback != nil {
			r.Fallback, r.FallbackAfter = rc.Fallback.Receiver, rc.Fallback.Delay()
		}
		identities := map[string]int{}
		for _, in := range rc.Integrations() {
			kind := in.Kind()
			identity := integrationIdentity(kind.Name, in.Channel)
			identities[identity]++
			if n := identities[identity]; n > 1 {
				identity += "-" + strconv.Itoa(n)
			}
			kind.Quotas = in.Quotas(kind)
			own := env
			own.OnTemplateError = func() { m.TemplateFailed(kind.Name) }
			n, err := in.New(&own, templates)
			if err != nil {
				return nil, fmt.Errorf("receiver %q: %s_configs[%d]: %w", rc.Name, kind.Name, in.Index, err)
			}
			r.Integrations = append(r.Integrations, outbox.Integration{Kind: kind, Index: in.Index, SendResolved: in.SendsResolved(kind), Notifier: n, Identity: identity})
		}
		receivers[i] = r
	}
	return receivers, nil
}

// buildReaders returns the reader of each cluster's lag.
func buildReaders(cfg *config.Config, client *http.Client, o Options) (map[string]lag.Reader, error) {
	credential := tencent.Credential{ID: cfg.Global.TencentSecretID, Secret: cfg.Global.TencentSecretKey, Lookup: o.Lookup}
	readers := make(map[string]lag.Reader, len(cfg.Lag.Clusters))
	for _, c := range cfg.Lag.Clusters {
		r, err := buildReader(c, credential, client, o)
		if err != nil {
			return nil, fmt.Errorf("cluster %q: %w", c.Name, err)
		}
		readers[c.Name] = r
	}
	return readers, nil
}

// buildReader returns the reader of a cluster's lag: by Kafka's protocol, by the cloud's
// API, or, if both are configured, by the protocol with the API as its fallback.
func buildReader(c lag.Cluster, credential tencent.Credential, client *http.Client, o Options) (lag.Reader, error) {
	if c.Kafka == nil {
		return ckafka.New(c, credential, client.Transport)
	}
	protocol, err := kafkaReader(c, o.Lookup, client.Transport)
	if err != nil || c.CKafka == nil {
		return protocol, err
	}
	api, err := ckafka.New(c, credential, client.Transport)
	if err != nil {
		return nil, err
	}
	return lag.NewFailoverReader(protocol, api), nil
}
