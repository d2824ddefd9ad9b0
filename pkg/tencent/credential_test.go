package tencent

import (
	"strings"
	"testing"
)

// environment is an environment for Lookup.
type environment map[string]string

func (e environment) lookup(name string) (string, bool) { v, ok := e[name]; return v, ok }

func TestCredential(t *testing.T) {
	role := environment{"TENCENTCLOUD_SECRETID": "AKIDrole", "TENCENTCLOUD_SECRETKEY": "role-key", "TENCENTCLOUD_SESSIONTOKEN": "role-token"}
	tests := []struct {
		name string
		c    Credential
		want [3]string
	}{
		{"its own key", Credential{ID: "AKIDown", Key: "own-key"}, [3]string{"AKIDown", "own-key", ""}},
		{"its own key before the role's", Credential{ID: "AKIDown", Key: "own-key", Lookup: role.lookup}, [3]string{"AKIDown", "own-key", ""}},
		{"the role's", Credential{Lookup: role.lookup}, [3]string{"AKIDrole", "role-key", "role-token"}},
		{"no role", Credential{Lookup: environment{}.lookup}, [3]string{}},
		{"no environment", Credential{}, [3]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			id, key, token := tt.c.GetCredential()
			if got := [3]string{id, key, token}; got != tt.want {
				t.Errorf("GetCredential = %q, want %q", got, tt.want)
			}
			if got := [3]string{tt.c.GetSecretId(), tt.c.GetSecretKey(), tt.c.GetToken()}; got != tt.want {
				t.Errorf("one by one = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCredentialFollowsTheEnvironment(t *testing.T) {
	env := environment{"TENCENTCLOUD_SECRETID": "AKIDone"}
	c := Credential{Lookup: env.lookup}
	first := c.GetSecretId()
	env["TENCENTCLOUD_SECRETID"] = "AKIDtwo"
	if got := first + " " + c.GetSecretId(); got != "AKIDone AKIDtwo" {
		t.Errorf("ids = %s", got)
	}
}

func TestProfile(t *testing.T) {
	tests := []struct{ endpoint, scheme, host, fault string }{
		{endpoint: "https://ckafka.tencentcloudapi.com", scheme: "HTTPS", host: "ckafka.tencentcloudapi.com"},
		{endpoint: "https://CKafka.TencentCloudAPI.com/", scheme: "HTTPS", host: "ckafka.tencentcloudapi.com"},
		{endpoint: "https://ckafka.tencentcloudapi.com:443", scheme: "HTTPS", host: "ckafka.tencentcloudapi.com"},
		{endpoint: "http://127.0.0.1:80", scheme: "HTTP", host: "127.0.0.1"},
		{endpoint: "http://127.0.0.1:8443", scheme: "HTTP", host: "127.0.0.1:8443"},
		{endpoint: "https://[::1]:8443", scheme: "HTTPS", host: "[::1]:8443"},
		{endpoint: "https://[::1]:443", scheme: "HTTPS", host: "[::1]"},
		{endpoint: "ckafka.tencentcloudapi.com", fault: "write it like"},
		{endpoint: "", fault: "write it like"},
		{endpoint: "https://", fault: "write it like"},
		{endpoint: "https://ckafka.tencentcloudapi.com/v3", fault: "without a path"},
		{endpoint: "https://u:p@ckafka.tencentcloudapi.com", fault: "write it like"},
		{endpoint: "ftp://ckafka.tencentcloudapi.com", fault: "must be https://"},
	}
	for _, tt := range tests {
		t.Run(tt.endpoint, func(t *testing.T) {
			p, err := Profile(tt.endpoint)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("error = %v, want … %s …", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.HttpProfile.Scheme != tt.scheme || p.HttpProfile.Endpoint != tt.host {
				t.Errorf("leads to %s %s, want %s %s", p.HttpProfile.Scheme, p.HttpProfile.Endpoint, tt.scheme, tt.host)
			}
			if p.Language != "en-US" || p.SignMethod != "TC3-HMAC-SHA256" || p.HttpProfile.ReqMethod != "POST" || p.NetworkFailureMaxRetries != 0 || p.RateLimitExceededMaxRetries != 0 || p.UnsafeRetryOnConnectionFailure {
				t.Errorf("profile = %+v", p)
			}
		})
	}
}
