package notifytest

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"slices"
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
// calls. action is the API's action that delivers a message, inbox the inbox of the
// delivered ones, and text the text of one.
func NewPhoneVendor[C ChannelConfig, M any](cloud *tencentcloud.Cloud, env *notify.Env, config C, action string, inbox func() []M, text func(M) string) *Vendor[C] {
	cloud.LimitRate(1e6)
	return &Vendor[C]{
		Env: env, Config: config, Fake: cloud,
		Inject: func(times int, h fault.Handler) {
			cloud.Inject(tencentcloud.Fault{Action: action, Times: times, Do: h})
		},
		Requests: func() int { return cloud.Count("") },
		Received: ReceivedFrom(inbox, func(_ int, m M) Received {
			text := text(m)
			return Received{Text: text, Markup: map[string]int{
				"brackets": strings.Count(text, "【"),
				"links":    strings.Count(text, "://") + strings.Count(text, "www."),
				"lines":    strings.Count(text, "\n") + strings.Count(text, "\r"),
			}}
		}),
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

// PhoneKeys points to the keys of a configuration that the contract changes.
type PhoneKeys struct {
	SecretID   *string
	SecretKey  *setting.Secret
	To, Params *[]string
}

// PhoneChannel returns the contract of SMS or of voice calls. start starts the vendor with
// a configuration whose only recipient is 13800000001, and which has two params.
// vendorErrors are the errors of the channel's action.
func PhoneChannel[C ChannelConfig](start func(*testing.T) *Vendor[C], kind notify.Kind, keys func(C) PhoneKeys, vendorErrors []ErrorCase[C]) Channel[C] {
	return Channel[C]{
		Start:   start,
		Kind:    kind,
		Secrets: []string{TencentSecretKey},
		Private: []string{TencentSecretID, "13800000001"},
		Errors:  slices.Concat(tencentErrors[C](), tencentKeyErrors(keys), vendorErrors),
		SeveralUnits: func(c C) {
			*keys(c).To = []string{"13800000001, 13800000002", "13800000003"}
		},
		Templates: []TemplateCase[C]{
			{Key: "params", Set: func(c C, s string) { (*keys(c).Params)[1] = s }, OnFailure: ShortText, EmptyFails: true},
			{Key: "to", Set: func(c C, s string) { (*keys(c).To)[0] = s }, OnFailure: Permanent},
		},
		Variants: []Variant[C]{
			{Name: "half size", Change: func(C) {}, HalfSize: true},
		},
	}
}

// tencentKeyErrors are the attempts with keys other than that of the configuration.
func tencentKeyErrors[C ChannelConfig](keys func(C) PhoneKeys) []ErrorCase[C] {
	set := func(c C, id string, key setting.Secret) { *keys(c).SecretID, *keys(c).SecretKey = id, key }
	return []ErrorCase[C]{
		{Name: "wrong key", Setup: func(_ *testing.T, v *Vendor[C]) { set(v.Config, TencentSecretID, "another-key") },
			Want: &notify.Error{Class: notify.Permanent, Code: "AuthFailure.SignatureFailure"}},
		{Name: "no key", Setup: func(t *testing.T, v *Vendor[C]) {
			set(v.Config, "", "")
			t.Setenv("TENCENTCLOUD_SECRETID", "")
		}, Want: &notify.Error{Class: notify.Permanent, Message: "there is no key to sign with"}},
		{Name: "key of the function's role", Delivered: 1, Setup: func(t *testing.T, v *Vendor[C]) {
			set(v.Config, "", "")
			v.Fake.(*tencentcloud.Cloud).SetKey("AKIDrole", tencentcloud.Key{Secret: "role-key", Token: "role-token"})
			t.Setenv("TENCENTCLOUD_SECRETID", "AKIDrole")
			t.Setenv("TENCENTCLOUD_SECRETKEY", "role-key")
			t.Setenv("TENCENTCLOUD_SESSIONTOKEN", "role-token")
		}},
	}
}

// tencentErrors replace cases for all channels. Tencent Cloud's API always responds with
// status 200. Any other response comes from a proxy, and it is not known whether the API
// executed the action.
func tencentErrors[C ChannelConfig]() []ErrorCase[C] {
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

// CheckPermanentErrors compares outcomes with want, by unit: "" is an accepted unit, and
// other texts are the beginning of a permanent error's message.
func CheckPermanentErrors(t *testing.T, outcomes map[string]*notify.Error, want map[string]string) {
	t.Helper()
	for unit, message := range want {
		e, ok := outcomes[unit]
		if !ok || (e == nil) != (message == "") || e != nil && (e.Class != notify.Permanent || e.Ambiguous || !strings.HasPrefix(e.Message, message)) {
			t.Errorf("got error %v for %s, want %q", e, unit, message)
		}
	}
}
