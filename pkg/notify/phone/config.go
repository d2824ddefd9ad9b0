package phone

import (
	"cmp"
	"fmt"

	"tocsin/pkg/notify"
	"tocsin/pkg/render"
	"tocsin/pkg/setting"
	"tocsin/pkg/tencent"
)

const defaultRegion = "ap-guangzhou"

// Config holds the keys that sms_configs and voice_configs have in common; it is
// inlined there.
type Config struct {
	// SdkAppID is the application's id in the vendor's console.
	SdkAppID string `yaml:"sdk_app_id"`
	// TemplateID is the approved template's id.
	TemplateID string `yaml:"template_id"`
	// Params are templates, one for each variable of the approved template.
	Params []string `yaml:"params,omitempty"`
	// ParamMaxLength is how many characters a variable may hold; default 20.
	ParamMaxLength int `yaml:"param_max_length,omitempty"`
	// To are templates of phone numbers, or of lists of them separated by commas or
	// semicolons.
	To []string `yaml:"to"`

	// Region is the API's; default ap-guangzhou. It does not depend on where the
	// numbers are.
	Region string `yaml:"region,omitempty"`
	// SecretID and SecretKey are the API key. The default is
	// global.tencent_secret_id, then the key of the function's role.
	SecretID  string         `yaml:"secret_id,omitempty"`
	SecretKey setting.Secret `yaml:"secret_key,omitempty"`
	// Endpoint is the API's address; the default is the vendor's.
	Endpoint string `yaml:"endpoint,omitempty"`
}

// Inherit gives c the global key if it has none of its own. It must precede
// Validate.
func (c *Config) Inherit(id string, key setting.Secret) {
	if c.SecretID == "" && c.SecretKey == "" {
		c.SecretID, c.SecretKey = id, key
	}
}

// ValidateAccount adds to f the faults of the application, the template, the key
// and the endpoint. console is where the vendor shows their ids.
func (c *Config) ValidateAccount(f *setting.Faults, console string) {
	if c.SdkAppID == "" {
		f.Addf("sdk_app_id", "is missing: it is the application's SdkAppId in %s, such as 1400006666", console)
	}
	if c.TemplateID == "" {
		f.Addf("template_id", "is missing: it is the id of an approved template in %s", console)
	}
	switch {
	case c.SecretID != "" && c.SecretKey == "":
		f.Addf("secret_key", "is missing: secret_id and secret_key are given together or not at all")
	case c.SecretID == "" && c.SecretKey != "":
		f.Addf("secret_id", "is missing: secret_id and secret_key are given together or not at all")
	}
	if c.Endpoint != "" {
		if err := tencent.CheckEndpoint(c.Endpoint); err != nil {
			f.Addf("endpoint", "%v", err)
		}
	}
}

// Sender has what the notifiers of both channels need.
type Sender struct {
	*Templates
	Client *tencent.Client
	Style  *render.Style
}

// NewSender returns the sender of c. endpoint is the default. An error names the key
// whose template cannot be compiled.
func (c *Config) NewSender(env *notify.Env, t *render.Templates, endpoint string) (*Sender, error) {
	templates, err := NewTemplates(t, c.To, c.Params, c.ParamMaxLength)
	if err != nil {
		return nil, err
	}
	credential := tencent.Credential{ID: c.SecretID, Secret: c.SecretKey, Lookup: env.Lookup}
	client, err := tencent.NewClient(cmp.Or(c.Endpoint, endpoint), cmp.Or(c.Region, defaultRegion), credential, env.HTTP.Transport)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	return &Sender{Templates: templates, Client: client, Style: &env.Style}, nil
}
