package config

import (
	"net/url"

	"tocsin/pkg/setting"
)

// warnPlaintextHTTP warns about endpoints that are called without encryption,
// except those on this machine.
func (c *Config) warnPlaintextHTTP(f *setting.Faults) {
	warn := func(f *setting.Faults, endpoint string) {
		if u, err := url.Parse(endpoint); err == nil && u.Scheme == "http" && !setting.IsLoopback(u.Hostname()) {
			f.Warnf("endpoint", "is plain http: everybody on the way can read along")
		}
	}
	for i, cluster := range c.Lag.Clusters {
		if cluster.CKafka != nil {
			warn(f.In("lag", "clusters", i, "ckafka"), cluster.CKafka.Endpoint)
		}
	}
	for i, r := range c.Receivers {
		for j := range r.SMS {
			warn(f.In("receivers", i, "sms_configs", j), r.SMS[j].Endpoint)
		}
		for j := range r.Voice {
			warn(f.In("receivers", i, "voice_configs", j), r.Voice[j].Endpoint)
		}
	}
}
