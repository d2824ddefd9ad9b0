package tencent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/tencentcloud"
)

const (
	testID    = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
	testKey   = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
	testToken = "token-of-a-role"
)

var describeGroup = Action{Product: "ckafka", Version: "2019-08-19", Name: "DescribeGroup"}

// testAPI is a local cloud behind TLS, and the settings of the client that calls it.
type testAPI struct {
	cloud      *tencentcloud.Cloud
	server     *httptest.Server
	credential Credential
	rt         http.RoundTripper
}

func newTestAPI(t *testing.T) *testAPI {
	t.Helper()
	cloud := tencentcloud.New(time.Now)
	cloud.SetKey(testID, tencentcloud.Key{Secret: testKey})
	cloud.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.StaticGroups{"g": nil}})
	server := httptest.NewTLSServer(cloud)
	t.Cleanup(server.Close)
	return &testAPI{cloud: cloud, server: server, credential: Credential{ID: testID, Secret: testKey}, rt: server.Client().Transport}
}

// useRole makes the key a temporary one that the client finds in its environment.
func (a *testAPI) useRole() {
	a.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Token: testToken})
	a.credential = Credential{Lookup: environment{"TENCENTCLOUD_SECRETID": testID, "TENCENTCLOUD_SECRETKEY": testKey, "TENCENTCLOUD_SESSIONTOKEN": testToken}.lookup}
}

type groupsResponse struct {
	ResponseHeader
	Result struct {
		TotalCount int
		GroupList  []struct{ Group string }
	}
	checked bool
}

// Valid reports whether the response has groups. Unless checked is set it accepts any.
func (r *groupsResponse) Valid() bool { return !r.checked || len(r.Result.GroupList) > 0 }

// describeGroup calls DescribeGroup for an instance.
func (a *testAPI) describeGroup(ctx context.Context, instance string) (*groupsResponse, error) {
	client, err := NewClient(a.server.URL, "ap-guangzhou", a.credential, a.rt)
	if err != nil {
		return nil, err
	}
	response := &groupsResponse{checked: true}
	return response, client.Call(ctx, describeGroup, map[string]string{"InstanceId": instance}, response)
}

func TestCallDecodesTheResponse(t *testing.T) {
	tests := map[string]func(*testAPI){
		"with a permanent key":     func(*testAPI) {},
		"with the key of the role": (*testAPI).useRole,
		"with invalid UTF-8, a duplicate name and null": func(a *testAPI) {
			a.cloud.Inject(tencentcloud.Fault{Do: fault.Respond(200, "application/json",
				`{"Response":{"RequestId":"r","Note":"`+"\xff"+`","Error":null,"Note":1,"Result":{"TotalCount":1,"GroupList":[{"Group":"g"}]}}}`)})
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			a := newTestAPI(t)
			change(a)
			got, err := a.describeGroup(t.Context(), "ckafka-1")
			if err != nil {
				t.Fatal(err)
			}
			if got.RequestID == "" || got.Result.TotalCount != 1 || len(got.Result.GroupList) != 1 || got.Result.GroupList[0].Group != "g" {
				t.Errorf("response = %+v, want a request id and the group g", got)
			}
			if n := a.cloud.Count(""); n != 1 {
				t.Errorf("got %d requests, want 1", n)
			}
		})
	}
}

// TestCallErrors lists the ways in which a request fails, with the classification
// and a part of the text in both languages.
func TestCallErrors(t *testing.T) {
	inject := func(do fault.Handler) func(*testAPI) {
		return func(a *testAPI) { a.cloud.Inject(tencentcloud.Fault{Do: do}) }
	}
	refuse := func(code, message string) func(*testAPI) { return inject(tencentcloud.Reject(code, message)) }
	html := func(status int, body string) func(*testAPI) { return inject(fault.Respond(status, "text/html", body)) }
	tests := []struct {
		name                 string
		change               func(*testAPI)
		instance             string
		kind                 Kind
		temporary, ambiguous bool
		code, en, zh         string
	}{
		{name: "no key", change: func(a *testAPI) { a.credential = Credential{} }, kind: Credentials, en: "set secret_id and secret_key", zh: "请填写 secret_id 和 secret_key"},
		{name: "unknown id", change: func(a *testAPI) { a.cloud.RemoveKey(testID) }, kind: Credentials, code: "AuthFailure.SecretIdNotFound", en: "check secret_id", zh: "请检查 secret_id"},
		{name: "wrong key", change: func(a *testAPI) { a.credential.Secret += "x" }, kind: Credentials, code: "AuthFailure.SignatureFailure", en: "check secret_key", zh: "请检查 secret_key"},
		{
			name: "expired token", kind: Credentials, code: "AuthFailure.TokenFailure", en: "check the function's run role", zh: "请检查函数的运行角色",
			change: func(a *testAPI) {
				a.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Expires: time.Now().Add(-time.Second)})
			},
		},
		{name: "clock", change: refuse("AuthFailure.SignatureExpire", ""), kind: Credentials, code: "AuthFailure.SignatureExpire", en: "clock is more than five minutes off", zh: "请校准时间"},
		{name: "key not accepted", change: refuse("AuthFailure.MFAFailure", ""), kind: Credentials, code: "AuthFailure.MFAFailure", en: "the key is not accepted", zh: "密钥未被接受"},
		{
			name: "no permission", kind: Permission, code: "UnauthorizedOperation", en: "may not perform ckafka:DescribeGroup: allow it in CAM", zh: "密钥没有 ckafka:DescribeGroup 权限",
			change: func(a *testAPI) {
				a.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Deny: []string{"ckafka:DescribeGroup"}})
			},
		},
		{name: "no permission, by another code", change: refuse("AuthFailure.UnauthorizedOperation", "Check your CAM policies"), kind: Permission, code: "AuthFailure.UnauthorizedOperation", en: "Check your CAM policies", zh: "访问管理 CAM"},
		{name: "unknown instance", instance: "ckafka-2", kind: NotFound, code: "InvalidParameterValue.InstanceNotExist", en: "check instance_id and region", zh: "请检查 instance_id 和 region"},
		{name: "resource not found", change: refuse("ResourceNotFound", ""), kind: NotFound, code: "ResourceNotFound", en: "does not exist", zh: "不存在"},
		{name: "too many requests", change: refuse("RequestLimitExceeded", ""), kind: Rate, temporary: true, code: "RequestLimitExceeded", en: "too many requests", zh: "频率"},
		{name: "too many requests of the account", change: refuse("RequestLimitExceeded.UinLimitExceeded", ""), kind: Rate, temporary: true, code: "RequestLimitExceeded.UinLimitExceeded", en: "too many requests", zh: "频率"},
		{name: "internal error", change: refuse("InternalError", "try again"), kind: Vendor, temporary: true, code: "InternalError", en: "try again; request 11111111-1111-4111-8111-111111111111", zh: "请求 ID 11111111-1111-4111-8111-111111111111"},
		{name: "timeout inside the vendor", change: refuse("InternalError.Timeout", ""), kind: Vendor, temporary: true, ambiguous: true, code: "InternalError.Timeout", en: "internal error", zh: "内部错误"},
		{name: "wrong parameter", change: refuse("InvalidParameterValue", "Limit"), kind: Config, code: "InvalidParameterValue", en: "check the values", zh: "请检查配置"},
		{name: "code that has a known one as its prefix", change: refuse("AuthFailureX", "?"), kind: Vendor, code: "AuthFailureX", en: "refused", zh: "拒绝"},
		{name: "wrong product", change: refuse("InvalidAction", ""), kind: Config, code: "InvalidAction", en: "check endpoint", zh: "请检查 endpoint"},
		{name: "proxy error page", change: html(502, "<html>bad gateway</html>"), kind: Network, temporary: true, ambiguous: true, en: "HTTP status 502", zh: "HTTP 状态码 502"},
		{name: "page that forbids", change: html(403, "<html>forbidden</html>"), kind: Network, ambiguous: true, en: "HTTP status 403", zh: "HTTP 状态码 403"},
		{name: "login page with status 200", change: html(200, "<html>log in</html>"), kind: Network, temporary: true, ambiguous: true, en: "not the API's (HTTP status 200)", zh: "不是 API 应答"},
		{name: "JSON with another status", change: html(503, "{}"), kind: Network, temporary: true, ambiguous: true, en: "HTTP status 503", zh: "HTTP 状态码 503"},
		{name: "JSON of another shape", change: html(200, `{"Response":7}`), kind: Network, temporary: true, ambiguous: true, en: "not the API's", zh: "不是 API 应答"},
		{name: "JSON without a response", change: html(200, `{}`), kind: Network, temporary: true, ambiguous: true, en: "not the API's", zh: "不是 API 应答"},
		{name: "response that is not valid", change: html(200, `{"Response":{"RequestId":"1"}}`), kind: Network, temporary: true, ambiguous: true, en: "not the API's", zh: "不是 API 应答"},
		{name: "text after the JSON", change: html(200, `{"Response":{"RequestId":"1","Result":{"GroupList":[{}]}}} 7`), kind: Network, temporary: true, ambiguous: true, en: "not the API's", zh: "不是 API 应答"},
		{name: "body without an end", change: html(200, `"`+strings.Repeat("x", maxResponse)), kind: Network, temporary: true, ambiguous: true, en: "larger than 16 MiB", zh: "16 MiB"},
		{name: "connection closed within the body", change: inject(fault.Truncate(`{"Response":{"Result":{"TotalCount":1}}}`)), kind: Network, temporary: true, ambiguous: true, en: "unexpected EOF", zh: "unexpected EOF"},
		{name: "connection refused", change: func(a *testAPI) { a.server.Close() }, kind: Network, temporary: true, en: "connection refused", zh: "无法访问 127.0.0.1"},
		{name: "untrusted certificate", change: func(a *testAPI) { a.rt = http.DefaultTransport }, kind: Config, en: "certificate of 127.0.0.1", zh: "证书不受信任"},
		{name: "no answer in time", change: inject(fault.Hang), kind: Timeout, temporary: true, ambiguous: true, en: "did not answer in time", zh: "未在限定时间内应答"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newTestAPI(t)
			if tt.change != nil {
				tt.change(a)
			}
			if tt.instance == "" {
				tt.instance = "ckafka-1"
			}
			ctx := t.Context()
			if tt.kind == Timeout {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
			}
			_, err := a.describeGroup(ctx, tt.instance)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error = %v, want an *Error", err)
			}
			got := Error{Kind: e.Kind, Temporary: e.Temporary, Ambiguous: e.Ambiguous, Code: e.Code, Action: e.Action}
			want := Error{Kind: tt.kind, Temporary: tt.temporary, Ambiguous: tt.ambiguous, Code: tt.code, Action: "ckafka:DescribeGroup"}
			if got != want {
				t.Errorf("error = %+v, want %+v", got, want)
			}
			for lang, want := range map[string]string{"en": tt.en, "zh": tt.zh} {
				got := e.Text(lang)
				if !strings.HasPrefix(got, "ckafka:DescribeGroup: ") || !strings.Contains(got, want) {
					t.Errorf("Text(%s) = %q, want it to begin with the action and contain %q", lang, got, want)
				}
				if strings.Contains(got, testID) || strings.Contains(got, testKey) || strings.Contains(got, "html") {
					t.Errorf("Text(%s) = %q, want no key and no part of a page", lang, got)
				}
			}
			if e.Error() != e.Text("en") {
				t.Errorf("Error() = %q, want %q", e.Error(), e.Text("en"))
			}
			if got, want := errors.Is(err, context.DeadlineExceeded), tt.kind == Timeout; got != want {
				t.Errorf("cause = %v, wraps context.DeadlineExceeded: %t, want %t", e.Err, got, want)
			}
		})
	}
}

func TestMessageIsRedactedAndShortened(t *testing.T) {
	a := newTestAPI(t)
	a.useRole()
	long := strings.Repeat("长", 400)
	a.cloud.Inject(tencentcloud.Fault{Do: tencentcloud.Reject("FailedOperation", testID+" and AKIDanother1234\nwith\t"+testKey+"\x1b[31m"+testToken+" "+long)})
	_, err := a.describeGroup(t.Context(), "ckafka-1")
	e, ok := errors.AsType[*Error](err)
	if want := "AKID*** and AKID*** with *** [31m*** 长长"; !ok || !strings.HasPrefix(e.Message, want) {
		t.Fatalf("error = %v, want a message that begins with %q", err, want)
	}
	if n := len([]rune(e.Message)); n != 301 {
		t.Errorf("got a message of %d characters, want 300 and an ellipsis", n)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			a := newTestAPI(t)
			a.cloud.Inject(tencentcloud.Fault{Do: func(w http.ResponseWriter, r *http.Request, _ func()) {
				http.Redirect(w, r, elsewhere.URL, status)
			}})
			_, err := a.describeGroup(t.Context(), "ckafka-1")
			if e, ok := errors.AsType[*Error](err); followed || !ok || e.Kind != Network || e.Temporary {
				t.Errorf("followed = %t, error = %+v; want false and a permanent network error", followed, err)
			}
		})
	}
}

func TestParamsThatCannotBeEncoded(t *testing.T) {
	a := newTestAPI(t)
	client, err := NewClient(a.server.URL, "ap-guangzhou", a.credential, a.rt)
	if err != nil {
		t.Fatal(err)
	}
	err = client.Call(t.Context(), describeGroup, make(chan int), &groupsResponse{})
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != Config || e.Temporary || e.Ambiguous {
		t.Errorf("error = %+v, want a permanent configuration error", err)
	}
	if n := a.cloud.Count(""); n != 0 {
		t.Errorf("got %d requests, want 0", n)
	}
}

// TestSignatureOfTheVendorsExample compares with the signature of the example in the
// vendor's documentation.
func TestSignatureOfTheVendorsExample(t *testing.T) {
	const body = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	r := httptest.NewRequest(http.MethodPost, "https://cvm.tencentcloudapi.com/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	sign(r, []byte(body), "cvm", Key{ID: testID, Secret: testKey}, time.Unix(1551113065, 0))
	for name, want := range map[string]string{
		"X-TC-Timestamp": "1551113065",
		"Authorization": "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, " +
			"SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

func TestEndpoint(t *testing.T) {
	tests := []struct{ endpoint, url, wantErr string }{
		{endpoint: "https://ckafka.tencentcloudapi.com", url: "https://ckafka.tencentcloudapi.com/"},
		{endpoint: "https://CKafka.TencentCloudAPI.com/", url: "https://ckafka.tencentcloudapi.com/"},
		{endpoint: "https://ckafka.tencentcloudapi.com:443", url: "https://ckafka.tencentcloudapi.com/"},
		{endpoint: "http://127.0.0.1:80", url: "http://127.0.0.1/"},
		{endpoint: "http://127.0.0.1:8443", url: "http://127.0.0.1:8443/"},
		{endpoint: "https://[::1]:8443", url: "https://[::1]:8443/"},
		{endpoint: "https://[::1]:443", url: "https://[::1]/"},
		{endpoint: "ckafka.tencentcloudapi.com", wantErr: "write it like"},
		{endpoint: "", wantErr: "write it like"},
		{endpoint: "https://", wantErr: "write it like"},
		{endpoint: "https://ckafka.tencentcloudapi.com/v3", wantErr: "without a path"},
		{endpoint: "https://u:p@ckafka.tencentcloudapi.com", wantErr: "write it like"},
		{endpoint: "ftp://ckafka.tencentcloudapi.com", wantErr: "must be https://"},
	}
	for _, tt := range tests {
		t.Run(tt.endpoint, func(t *testing.T) {
			client, err := NewClient(tt.endpoint, "ap-guangzhou", Credential{}, nil)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error = %v, want it to contain %q", err, tt.wantErr)
				}
				return
			}
			if err != nil || CheckEndpoint(tt.endpoint) != nil {
				t.Fatalf("errors = %v and %v, want none", err, CheckEndpoint(tt.endpoint))
			}
			if client.url != tt.url {
				t.Errorf("url = %s, want %s", client.url, tt.url)
			}
		})
	}
}
