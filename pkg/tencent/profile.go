package tencent

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

// requestTimeout bounds one request in seconds; the caller's context may end it
// sooner.
const requestTimeout = 10

// Profile returns how a client of the SDK behaves that asks at endpoint, a URL
// such as https://ckafka.tencentcloudapi.com: POST signed with TC3-HMAC-SHA256,
// messages in English, and no retries, because the SDK's own do not heed a
// context. Use Retry instead.
func Profile(endpoint string) (*profile.ClientProfile, error) {
	scheme, host, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	p := profile.NewClientProfile()
	p.Language = "en-US"
	p.HttpProfile.Scheme = scheme
	p.HttpProfile.Endpoint = host
	p.HttpProfile.ReqTimeout = requestTimeout
	return p, nil
}

// parseEndpoint splits an endpoint. The host is what gets signed, so it is
// brought to the form in which the server sees it: in lower case, and without
// the scheme's own port.
func parseEndpoint(endpoint string) (scheme, host string, err error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", "", fmt.Errorf("endpoint is not the address of an API: write it like https://ckafka.tencentcloudapi.com, without a path")
	}
	ports := map[string]string{"https": "443", "http": "80"}
	port, known := ports[u.Scheme]
	if !known {
		return "", "", fmt.Errorf("endpoint begins with %s://: it must be https:// or http://", u.Scheme)
	}
	host = strings.ToLower(strings.TrimSuffix(u.Host, ":"))
	if u.Port() == port {
		host = strings.TrimSuffix(host, ":"+port)
	}
	return strings.ToUpper(u.Scheme), host, nil
}
