package config

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Global has the settings that several parts share.
type Global struct {
	// Language is the language of built-in messages, zh (the default) or en.
	Language string `yaml:"language"`
	// Timezone is the IANA name of the time zone in messages; default Asia/Shanghai.
	Timezone string `yaml:"timezone"`
	// ExternalURL is the address at which readers of a message find Tocsin.
	ExternalURL string `yaml:"external_url,omitempty"`
	// ResolveTimeout is the time after which an alert resolves that has no end and is
	// not sent again; default 5m, as in Alertmanager.
	ResolveTimeout setting.Duration `yaml:"resolve_timeout"`
	// Severities are further words of the label severity, in any case, and the severity
	// of each: critical, warning or info.
	Severities map[string]string `yaml:"severities,omitempty"`
	// TencentSecretID and TencentSecretKey are used by CKafka, SMS and voice entries
	// without their own. Default: the function's role.
	TencentSecretID  string         `yaml:"tencent_secret_id,omitempty"`
	TencentSecretKey setting.Secret `yaml:"tencent_secret_key,omitempty"`

	ChannelDefaults `yaml:",inline"`
}

// defaults returns the configuration before the file is decoded.
func defaults() *Config {
	return &Config{Global: Global{
		Language: "zh", Timezone: "Asia/Shanghai", ResolveTimeout: setting.Duration(5 * time.Minute),
	}}
}

// Validate adds the faults of g to f.
func (g *Global) Validate(f *setting.Faults) {
	if g.Language != "zh" && g.Language != "en" {
		f.Addf("language", "%q is not a supported language: use zh or en", g.Language)
	}
	if _, err := time.LoadLocation(g.Timezone); err != nil || g.Timezone == "" {
		f.Addf("timezone", "%q is not a time zone: write it like Asia/Shanghai or UTC", g.Timezone)
	}
	if g.ResolveTimeout <= 0 {
		f.Addf("resolve_timeout", "must be more than 0s")
	}
	for _, word := range slices.Sorted(maps.Keys(g.Severities)) {
		switch severity := g.Severities[word]; severity {
		case alert.SeverityCritical, alert.SeverityWarning, alert.SeverityInfo:
		default:
			f.In("severities").Addf(word, "%q is none of critical, warning and info", severity)
		}
	}
	switch {
	case g.TencentSecretID != "" && g.TencentSecretKey == "":
		f.Addf("tencent_secret_key", "is missing: tencent_secret_id and tencent_secret_key are given together or not at all")
	case g.TencentSecretID == "" && g.TencentSecretKey != "":
		f.Addf("tencent_secret_id", "is missing: tencent_secret_id and tencent_secret_key are given together or not at all")
	}
	if g.ExternalURL == "" {
		return
	}
	u, err := url.Parse(g.ExternalURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		f.Addf("external_url", "is not a URL: write it like https://alerts.example.com")
	case u.User != nil:
		f.Addf("external_url", "must not contain a password: it is part of every message")
	}
}

// tencentKey returns the Tencent Cloud key of the section, "" if half of it is missing,
// which Validate reports.
func (g *Global) tencentKey() (id string, key setting.Secret) {
	if g.TencentSecretID == "" || g.TencentSecretKey == "" {
		return "", ""
	}
	return g.TencentSecretID, g.TencentSecretKey
}

// Style returns the style of messages.
func (g *Global) Style() render.Style {
	severities := make(map[string]string, len(g.Severities))
	for word, severity := range g.Severities {
		severities[strings.ToLower(strings.TrimSpace(word))] = severity
	}
	return render.Style{Language: g.Language, Location: g.Location(), ExternalURL: g.ExternalURL, Severities: severities}
}

// Location returns the location of Timezone, which must have passed Validate.
func (g *Global) Location() *time.Location {
	location, err := time.LoadLocation(g.Timezone)
	if err != nil {
		return time.UTC
	}
	return location
}
