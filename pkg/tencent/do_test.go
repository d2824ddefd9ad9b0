package tencent

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"

	"tocsin/pkg/localcloud/tencentcloud"
)

const (
	testID    = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
	testKey   = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
	testToken = "token-of-a-role"
)

// bench is a client of the SDK and the cloud that it asks over TLS.
type bench struct {
	cloud  *tencentcloud.Cloud
	server *httptest.Server
	key    Credential
	rt     http.RoundTripper
}

func newBench(t *testing.T) *bench {
	t.Helper()
	cloud := tencentcloud.New(time.Now)
	cloud.SetKey(testID, tencentcloud.Key{Secret: testKey})
	cloud.AddInstance(tencentcloud.Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: tencentcloud.Table{"g": nil}})
	server := httptest.NewTLSServer(cloud)
	t.Cleanup(server.Close)
	return &bench{cloud: cloud, server: server, key: Credential{ID: testID, Key: testKey}, rt: server.Client().Transport}
}

// ask makes one request for the groups of an instance.
func (b *bench) ask(ctx context.Context, instance string) error {
	p, err := Profile(b.server.URL)
	if err != nil {
		return err
	}
	client := common.NewCommonClient(b.key, "ap-guangzhou", p).WithHttpTransport(Transport(b.rt))
	return Do(ctx, b.key, "ckafka:DescribeGroup", func(ctx context.Context) error {
		params := map[string]string{"InstanceId": instance}
		return client.Send(NewRequest(ctx, "ckafka:DescribeGroup", "2019-08-19", params), tchttp.NewCommonResponse())
	})
}

func TestDo(t *testing.T) {
	b := newBench(t)
	if err := b.ask(t.Context(), "ckafka-1"); err != nil {
		t.Error(err)
	}
	b.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Token: testToken})
	b.key = Credential{Lookup: environment{"TENCENTCLOUD_SECRETID": testID, "TENCENTCLOUD_SECRETKEY": testKey, "TENCENTCLOUD_SESSIONTOKEN": testToken}.lookup}
	if err := b.ask(t.Context(), "ckafka-1"); err != nil {
		t.Errorf("with a role: %v", err)
	}
}

// TestBadDays holds every way in which a request fails to what it should be
// called, in both languages.
func TestBadDays(t *testing.T) {
	answer := func(status int, body string) func(*bench) {
		return func(b *bench) {
			b.cloud.Fail(tencentcloud.Fault{Do: tencentcloud.Answer(status, "text/html", body)})
		}
	}
	refuse := func(code, message string) func(*bench) {
		return func(b *bench) { b.cloud.Fail(tencentcloud.Fault{Do: tencentcloud.Refuse(code, message)}) }
	}
	tests := []struct {
		name                 string
		change               func(*bench)
		instance             string
		kind                 Kind
		temporary, ambiguous bool
		code, en, zh         string
	}{
		{name: "no key", change: func(b *bench) { b.key = Credential{} }, kind: Credentials, en: "set secret_id and secret_key", zh: "请填写 secret_id 和 secret_key"},
		{name: "unknown id", change: func(b *bench) { b.cloud.RemoveKey(testID) }, kind: Credentials, code: "AuthFailure.SecretIdNotFound", en: "check secret_id", zh: "请检查 secret_id"},
		{name: "wrong key", change: func(b *bench) { b.key.Key += "x" }, kind: Credentials, code: "AuthFailure.SignatureFailure", en: "check secret_key", zh: "请检查 secret_key"},
		{
			name: "expired token", kind: Credentials, code: "AuthFailure.TokenFailure", en: "check the function's run role", zh: "请检查函数的运行角色",
			change: func(b *bench) {
				b.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Expires: time.Now().Add(-time.Second)})
			},
		},
		{name: "clock", change: refuse("AuthFailure.SignatureExpire", ""), kind: Credentials, code: "AuthFailure.SignatureExpire", en: "clock is more than five minutes off", zh: "请校准时间"},
		{name: "key not accepted", change: refuse("AuthFailure.MFAFailure", ""), kind: Credentials, code: "AuthFailure.MFAFailure", en: "the key is not accepted", zh: "密钥未被接受"},
		{
			name: "no permission", kind: Permission, code: "UnauthorizedOperation", en: "may not perform ckafka:DescribeGroup: allow it in CAM", zh: "密钥没有 ckafka:DescribeGroup 权限",
			change: func(b *bench) {
				b.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Deny: []string{"ckafka:DescribeGroup"}})
			},
		},
		{name: "no permission, in other words", change: refuse("AuthFailure.UnauthorizedOperation", "Check your CAM policies"), kind: Permission, code: "AuthFailure.UnauthorizedOperation", en: "Check your CAM policies", zh: "访问管理 CAM"},
		{name: "unknown instance", instance: "ckafka-2", kind: NotFound, code: "InvalidParameterValue.InstanceNotExist", en: "check instance_id and region", zh: "请检查 instance_id 和 region"},
		{name: "resource not found", change: refuse("ResourceNotFound", ""), kind: NotFound, code: "ResourceNotFound", en: "does not exist", zh: "不存在"},
		{name: "too many requests", change: refuse("RequestLimitExceeded", ""), kind: Rate, temporary: true, code: "RequestLimitExceeded", en: "too many requests", zh: "频率"},
		{name: "too many requests of the account", change: refuse("RequestLimitExceeded.UinLimitExceeded", ""), kind: Rate, temporary: true, code: "RequestLimitExceeded.UinLimitExceeded", en: "too many requests", zh: "频率"},
		{name: "internal error", change: refuse("InternalError", "try again"), kind: Vendor, temporary: true, code: "InternalError", en: "try again; request 11111111-1111-4111-8111-111111111111", zh: "请求 ID 11111111-1111-4111-8111-111111111111"},
		{name: "the vendor's own timeout", change: refuse("InternalError.Timeout", ""), kind: Vendor, temporary: true, ambiguous: true, code: "InternalError.Timeout", en: "internal error", zh: "内部错误"},
		{name: "wrong parameter", change: refuse("InvalidParameterValue", "Limit"), kind: Config, code: "InvalidParameterValue", en: "check the values", zh: "请检查配置"},
		{name: "not this code's beginning", change: refuse("AuthFailureX", "?"), kind: Vendor, code: "AuthFailureX", en: "refused", zh: "拒绝"},
		{name: "wrong product", change: refuse("InvalidAction", ""), kind: Config, code: "InvalidAction", en: "check endpoint", zh: "请检查 endpoint"},
		{name: "a proxy's page", change: answer(502, "<html>bad gateway</html>"), kind: Network, temporary: true, ambiguous: true, code: "ClientError.ParseJsonError", en: "HTTP status 502", zh: "HTTP 状态码 502"},
		{name: "a page that forbids", change: answer(403, "<html>forbidden</html>"), kind: Network, ambiguous: true, code: "ClientError.ParseJsonError", en: "HTTP status 403", zh: "HTTP 状态码 403"},
		{name: "JSON with another status", change: answer(503, "{}"), kind: Network, temporary: true, ambiguous: true, code: "ClientError.HttpStatusCodeError", en: "HTTP status 503", zh: "HTTP 状态码 503"},
		{name: "JSON of another shape", change: answer(200, `{"Response":7}`), kind: Network, temporary: true, ambiguous: true, code: "ClientError.ParseJsonError", en: "not the API's", zh: "不是 API 应答"},
		{name: "an answer without an end", change: answer(200, `"`+strings.Repeat("x", maxAnswer)), kind: Network, temporary: true, ambiguous: true, code: "ClientError.ParseJsonError", en: "larger than 16 MiB", zh: "16 MiB"},
		{name: "half an answer", change: func(b *bench) { b.cloud.Fail(tencentcloud.Fault{Do: tencentcloud.Half}) }, kind: Network, temporary: true, ambiguous: true, code: "ClientError.ParseJsonError", en: "unexpected EOF", zh: "unexpected EOF"},
		{name: "nobody there", change: func(b *bench) { b.server.Close() }, kind: Network, temporary: true, code: "ClientError.NetworkError", en: "connection refused", zh: "无法访问 127.0.0.1"},
		{name: "certificate", change: func(b *bench) { b.rt = http.DefaultTransport }, kind: Config, code: "ClientError.NetworkError", en: "certificate of 127.0.0.1", zh: "证书不受信任"},
		{
			name: "hung", kind: Timeout, temporary: true, ambiguous: true, code: "ClientError.NetworkError", en: "did not answer in time", zh: "未在限定时间内应答",
			change: func(b *bench) { b.cloud.Fail(tencentcloud.Fault{Do: tencentcloud.Hang}) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			if tt.change != nil {
				tt.change(b)
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
			err := b.ask(ctx, tt.instance)
			e, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("error = %v", err)
			}
			if e.Kind != tt.kind || e.Temporary != tt.temporary || e.Ambiguous != tt.ambiguous || e.Code != tt.code || e.Action != "ckafka:DescribeGroup" {
				t.Errorf("error = %+v", e)
			}
			for lang, want := range map[string]string{"en": tt.en, "zh": tt.zh} {
				got := e.Text(lang)
				if !strings.HasPrefix(got, "ckafka:DescribeGroup: ") || !strings.Contains(got, want) {
					t.Errorf("%s = %q, want … %q …", lang, got, want)
				}
				if strings.Contains(got, testID) || strings.Contains(got, testKey) || strings.Contains(got, "html") {
					t.Errorf("%s tells too much: %q", lang, got)
				}
			}
			if e.Error() != e.Text("en") {
				t.Errorf("Error = %q", e.Error())
			}
			if (tt.kind == Timeout) != errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("cause = %v", e.Err)
			}
		})
	}
}

func TestMessagesAreMadeTidy(t *testing.T) {
	b := newBench(t)
	b.cloud.SetKey(testID, tencentcloud.Key{Secret: testKey, Token: testToken})
	b.key = Credential{Lookup: environment{"TENCENTCLOUD_SECRETID": testID, "TENCENTCLOUD_SECRETKEY": testKey, "TENCENTCLOUD_SESSIONTOKEN": testToken}.lookup}
	long := strings.Repeat("长", 400)
	b.cloud.Fail(tencentcloud.Fault{Do: tencentcloud.Refuse("FailedOperation", testID+" and AKIDanother1234\nwith\t"+testKey+"\x1b[31m"+testToken+" "+long)})
	err := b.ask(t.Context(), "ckafka-1")
	e, _ := errors.AsType[*Error](err)
	if want := "AKID*** and AKID*** with *** [31m*** 长长"; e == nil || !strings.HasPrefix(e.Message, want) {
		t.Fatalf("message = %v, want %s…", err, want)
	}
	if n := len([]rune(e.Message)); n != 301 {
		t.Errorf("message of %d characters, want 300 and an ellipsis", n)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect} {
		b := newBench(t)
		b.cloud.Fail(tencentcloud.Fault{Do: func(w http.ResponseWriter, r *http.Request, _ func()) {
			http.Redirect(w, r, elsewhere.URL, status)
		}})
		err := b.ask(t.Context(), "ckafka-1")
		if e, ok := errors.AsType[*Error](err); followed || !ok || e.Kind != Network || e.Temporary {
			t.Errorf("status %d: followed = %t, error = %v", status, followed, err)
		}
	}
}
