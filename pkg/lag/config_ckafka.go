package lag

import (
	"strings"

	"tocsin/pkg/setting"
)

// CKafka is where and with which key a CKafka instance is read, through Tencent
// Cloud's API.
type CKafka struct {
	// InstanceID is the instance's id, ckafka-xxxxxxxx.
	InstanceID string `yaml:"instance_id"`
	// Region is where the instance is, such as ap-guangzhou.
	Region string `yaml:"region"`
	// Endpoint replaces the address of the API; "" is
	// https://ckafka.tencentcloudapi.com.
	Endpoint string `yaml:"endpoint,omitempty"`
	// SecretID and SecretKey are a key of its own for this instance. Without
	// them it is global.tencent_secret_id, then the function's role.
	SecretID  string         `yaml:"secret_id,omitempty"`
	SecretKey setting.Secret `yaml:"secret_key,omitempty"`
}

// Validate adds what is wrong with c to f.
func (c *CKafka) Validate(f *setting.Faults) {
	if c.InstanceID == "" {
		f.Addf("instance_id", "is missing: it is the instance's id in the console, such as ckafka-xxxxxxxx")
	}
	if c.Region == "" {
		f.Addf("region", "is missing: name the instance's region, such as ap-guangzhou")
	}
	switch {
	case c.SecretID != "" && c.SecretKey == "":
		f.Addf("secret_key", "is missing: secret_id and secret_key are given together or not at all")
	case c.SecretID == "" && c.SecretKey != "":
		f.Addf("secret_id", "is missing: secret_id and secret_key are given together or not at all")
	}
	validateEndpoint(f, c.Endpoint)
}

func validateEndpoint(f *setting.Faults, endpoint string) {
	if endpoint == "" {
		return
	}
	if !strings.HasPrefix(endpoint, "https://") && !strings.HasPrefix(endpoint, "http://") {
		f.Addf("endpoint", "%q is not a URL: write it like https://ckafka.tencentcloudapi.com", endpoint)
	}
}
