package config

import (
	"net/url"
	"time"

	"tocsin/pkg/render"
	"tocsin/pkg/setting"
)

// Global holds what the other parts share.
type Global struct {
	// Language is zh (the default) or en: of built-in messages, and of errors
	// that are shown to people.
	Language string `yaml:"language"`
	// Timezone is the zone of times in messages, by its name in the IANA
	// database; default Asia/Shanghai.
	Timezone string `yaml:"timezone"`
	// ExternalURL is where readers of a message can look alerts up.
	ExternalURL string `yaml:"external_url,omitempty"`
	// ResolveTimeout ends an alert whose source neither gave an end nor said it
	// again; default 5m, as in Alertmanager.
	ResolveTimeout setting.Duration `yaml:"resolve_timeout"`
	// TencentSecretID and TencentSecretKey are for CKafka, SMS and voice where no
	// key of their own is given. Without them it is the function's role.
	TencentSecretID  string         `yaml:"tencent_secret_id,omitempty"`
	TencentSecretKey setting.Secret `yaml:"tencent_secret_key,omitempty"`

	ChannelDefaults `yaml:",inline"`
}

// defaults returns a configuration as it is before the file is read.
func defaults() *Config {
	return &Config{Global: Global{
		Language: "zh", Timezone: "Asia/Shanghai", ResolveTimeout: setting.Duration(5 * time.Minute),
	}}
}

// Validate adds what is wrong with g to f.
func (g *Global) Validate(f *setting.Faults) {
	if g.Language != "zh" && g.Language != "en" {
		f.Addf("language", "%q is not a language that Tocsin speaks: zh or en", g.Language)
	}
	if _, err := time.LoadLocation(g.Timezone); err != nil || g.Timezone == "" {
		f.Addf("timezone", "%q is not a time zone: write it like Asia/Shanghai or UTC", g.Timezone)
	}
	if g.ResolveTimeout <= 0 {
		f.Addf("resolve_timeout", "must be more than 0s")
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
		f.Addf("external_url", "must not have a password in it: every message shows it")
	}
}

// tencentKey returns the Tencent Cloud key of the section, none when half of it is
// missing, which Validate reports.
func (g *Global) tencentKey() (id string, key setting.Secret) {
	if g.TencentSecretID == "" || g.TencentSecretKey == "" {
		return "", ""
	}
	return g.TencentSecretID, g.TencentSecretKey
}

// Style is how the configuration wants notifications put into words.
func (g *Global) Style() render.Style {
	return render.Style{Language: g.Language, Location: g.Location(), ExternalURL: g.ExternalURL}
}

// Location is the zone that Timezone names. The configuration must have passed
// Validate.
func (g *Global) Location() *time.Location {
	location, err := time.LoadLocation(g.Timezone)
	if err != nil {
		return time.UTC
	}
	return location
}
