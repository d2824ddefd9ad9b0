package notifytest

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/network"
	"tocsin/pkg/localcloud/tencentcloud"
	"tocsin/pkg/notify"
	"tocsin/pkg/setting"
)

// TencentSecretID and TencentSecretKey are the key that the cloud of StartTencentCloud
// accepts.
const (
	TencentSecretID  = "AKIDexample0000000000"
	TencentSecretKey = "example-secret-key"
)

// StartTencentCloud starts a Tencent Cloud without applications at https://HOST/, and
// returns it with an environment whose client reaches it. The environment variables are
// those of the process, so that a test can set the key of a function's role.
func StartTencentCloud(t *testing.T, host string) (*tencentcloud.Cloud, *notify.Env) {
	t.Helper()
	net, err := network.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.Close() })
	cloud := tencentcloud.New(time.Now)
	cloud.SetKey(TencentSecretID, tencentcloud.Key{Secret: TencentSecretKey})
	if _, err := net.ServeHTTPS(host, cloud); err != nil {
		t.Fatal(err)
	}
	env := NewEnv("zh")
	env.Lookup = os.LookupEnv
	env.HTTP = &http.Client{Transport: &http.Transport{
		DialContext:     net.DialContext,
		TLSClientConfig: &tls.Config{RootCAs: net.RootCAs()},
	}}
	return cloud, env
}

// NewPhoneVendor returns cloud as the vendor of config, which configures SMS or voice
// calls. action is the API's action that delivers a message; texts returns the texts of
// all delivered messages.
func NewPhoneVendor[C ChannelConfig](cloud *tencentcloud.Cloud, env *notify.Env, config C, action string, texts func() []string) *Vendor[C] {
	cloud.LimitRate(1e6)
	return &Vendor[C]{
		Env: env, Config: config, Fake: cloud,
		Inject: func(times int, h fault.Handler) {
			cloud.Inject(tencentcloud.Fault{Action: action, Times: times, Do: h})
		},
		Requests: func() int { return cloud.Count("") },
		Received: func(skip int) []Received {
			var out []Received
			for _, text := range texts()[skip:] {
				out = append(out, Received{Text: text, Markup: map[string]int{
					"brackets": strings.Count(text, "【"),
					"links":    strings.Count(text, "://") + strings.Count(text, "www."),
					"lines":    strings.Count(text, "\n") + strings.Count(text, "\r"),
				}})
			}
			return out
		},
	}
}

// PhoneNotification returns a notification of one alert, whose annotation phones names
// two numbers.
func PhoneNotification() *alert.Notification {
	return Notification(&alert.Alert{
		Labels:      alert.Labels{"alertname": "磁盘将满", "severity": "critical"},
		Annotations: alert.Labels{"phones": "13800000001; +8613800000002"},
		StartsAt:    Ago(time.Minute),
	})
}

// UseRoleKey sets the environment variables of the temporary key of a function's role, and
// makes cloud accept that key.
func UseRoleKey(t *testing.T, cloud *tencentcloud.Cloud) {
	t.Helper()
	cloud.SetKey("AKIDrole", tencentcloud.Key{Secret: "role-key", Token: "role-token"})
	t.Setenv("TENCENTCLOUD_SECRETID", "AKIDrole")
	t.Setenv("TENCENTCLOUD_SECRETKEY", "role-key")
	t.Setenv("TENCENTCLOUD_SESSIONTOKEN", "role-token")
}

// TencentKeyErrors are the errors of a key that the vendor does not accept. set
// changes the key of a configuration.
func TencentKeyErrors[C ChannelConfig](set func(c C, id string, key setting.Secret)) []ErrorCase[C] {
	return []ErrorCase[C]{
		{Name: "wrong key", Setup: func(_ *testing.T, v *Vendor[C]) { set(v.Config, TencentSecretID, "another-key") },
			Want: &notify.Error{Class: notify.Permanent, Code: "AuthFailure.SignatureFailure"}},
		{Name: "no key", Setup: func(t *testing.T, v *Vendor[C]) {
			set(v.Config, "", "")
			t.Setenv("TENCENTCLOUD_SECRETID", "")
		}, Want: &notify.Error{Class: notify.Permanent, Message: "there is no key to sign with"}},
	}
}

// TencentErrors replace cases for all channels. Tencent Cloud's API always responds with
// status 200. Any other response comes from a proxy, and it is not known whether the API
// executed the action.
func TencentErrors[C ChannelConfig]() []ErrorCase[C] {
	cases := []ErrorCase[C]{
		{Name: "certificate of an unknown authority", Setup: trustNoAuthority[C],
			Want: &notify.Error{Class: notify.Permanent}, Contains: []string{"certificate"}},
		{Name: "no response before the deadline", Fault: fault.Hang, Timeout: true,
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true}, Contains: []string{"did not answer in time"}},
		{Name: "empty response", Fault: fault.Respond(200, "application/json", ""),
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true}},
	}
	for _, s := range []struct {
		name   string
		status int
		class  notify.Class
	}{
		{"proxy page with status 200", 200, notify.Retry},
		{"redirect", 307, notify.Permanent},
		{"status 403", 403, notify.Permanent},
		{"status 404", 404, notify.Permanent},
		{"status 429", 429, notify.Retry},
		{"status 500", 500, notify.Retry},
		{"status 502", 502, notify.Retry},
		{"status 503", 503, notify.Retry},
	} {
		cases = append(cases, ErrorCase[C]{Name: s.name,
			Fault:    page(s.status, "Location", "https://elsewhere.example.com/"),
			Want:     &notify.Error{Class: s.class, Ambiguous: true},
			Contains: []string{fmt.Sprintf("(HTTP status %d)", s.status)},
		})
	}
	return cases
}
