package tencentcloud

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The vendor's documentation signs one example step by step: its older versions with two
// headers, the current one with three.
const vectorBody = `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`

var (
	vectorTime = time.Unix(1551113065, 0)
	vectors    = []struct {
		name, id, key, headers         string
		canonical, date, service, sign string
		signature                      string
	}{
		{
			name: "two headers", id: "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", key: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", headers: "content-type;host",
			canonical: "5ffe6a04c0664d6b969fab9a13bdab201d63ee709638e2749d62a09ca18d7031",
			date:      "d1308c81fe71cfd4e06437bbc067b2b8a3d2d8c0e375d547f15c41d5214b395a",
			service:   "3c7cb7c7795393edc14fd2e0e6434a518564b4504b88e94f5d11bf59ba3e7050",
			sign:      "ac658d5dde49e9bfdd14e04e062f66b05d9f637d44b8a8d845327d4a77f666b1",
			signature: "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168",
		},
		{
			name: "three headers", id: "AKID" + strings.Repeat("*", 32), key: strings.Repeat("*", 32), headers: "content-type;host;x-tc-action",
			canonical: "7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84",
			date:      "da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0",
			service:   "8d70cbefb03939f929db64d32dc2ba89b1095620119fe3e050e2b18c5bd2752f",
			sign:      "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af",
			signature: "10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
		},
	}
)

// newVectorRequest returns the request of a vector.
func newVectorRequest(i int) *http.Request {
	v := vectors[i]
	r := httptest.NewRequest(http.MethodPost, "https://cvm.tencentcloudapi.com/", strings.NewReader(vectorBody))
	r.Header.Set("Content-Type", "application/json; charset=utf-8")
	r.Header.Set("X-TC-Action", "DescribeInstances")
	r.Header.Set("X-TC-Version", "2017-03-12")
	r.Header.Set("X-TC-Region", "ap-guangzhou")
	r.Header.Set("X-TC-Timestamp", "1551113065")
	r.Header.Set("Authorization", "TC3-HMAC-SHA256 Credential="+v.id+"/2019-02-25/cvm/tc3_request, SignedHeaders="+v.headers+", Signature="+v.signature)
	return r
}

func TestVectors(t *testing.T) {
	for i, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			r := newVectorRequest(i)
			if got, want := sum([]byte(vectorBody)), "35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"; got != want {
				t.Errorf("hash of the body = %s, want %s", got, want)
			}
			canonical := canonicalRequest(r, strings.Split(v.headers, ";"), []byte(vectorBody))
			if got := sum([]byte(canonical)); got != v.canonical {
				t.Errorf("hash of the canonical request = %s, want %s", got, v.canonical)
			}
			date := mac([]byte("TC3"+v.key), "2019-02-25")
			service := mac(date, "cvm")
			sign := mac(service, "tc3_request")
			for _, k := range []struct {
				name, want string
				got        []byte
			}{{"date", v.date, date}, {"service", v.service, service}, {"signing", v.sign, sign}} {
				if hex.EncodeToString(k.got) != k.want {
					t.Errorf("%s key = %x, want %s", k.name, k.got, k.want)
				}
			}
			c := New(func() time.Time { return vectorTime })
			c.SetKey(v.id, Key{Secret: v.key})
			if _, service, err := c.verify(r, []byte(vectorBody)); err != nil || service != "cvm" {
				t.Errorf("verify = %q, %v; want cvm and no error", service, err)
			}
		})
	}
}

func TestVerify(t *testing.T) {
	const id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"
	valid := Key{Secret: "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"}
	tests := []struct {
		name   string
		key    Key
		after  time.Duration
		change func(*http.Request)
		body   string
		code   string
	}{
		{name: "exactly five minutes late", key: valid, after: 300 * time.Second},
		{name: "more than five minutes late", key: valid, after: 301 * time.Second, code: "AuthFailure.SignatureExpire"},
		{name: "more than five minutes early", key: valid, after: -301 * time.Second, code: "AuthFailure.SignatureExpire"},
		{name: "wrong key", key: Key{Secret: "x"}, code: "AuthFailure.SignatureFailure"},
		{name: "changed body", key: valid, body: "{}", code: "AuthFailure.SignatureFailure"},
		{name: "changed host", key: valid, change: func(r *http.Request) { r.Host += ":8443" }, code: "AuthFailure.SignatureFailure"},
		{name: "changed content type", key: valid, change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, code: "AuthFailure.SignatureFailure"},
		{name: "no signature", key: valid, change: func(r *http.Request) { r.Header.Del("Authorization") }, code: "AuthFailure.InvalidAuthorization"},
		{name: "no timestamp", key: valid, change: func(r *http.Request) { r.Header.Del("X-TC-Timestamp") }, code: "MissingParameter"},
		{name: "unknown id", key: valid, change: func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), id, "AKIDother", 1))
		}, code: "AuthFailure.SecretIdNotFound"},
		{name: "token with a permanent key", key: valid, change: func(r *http.Request) { r.Header.Set("X-TC-Token", "t") }, code: "AuthFailure.TokenFailure"},
		{name: "missing token", key: Key{Secret: valid.Secret, Token: "t"}, code: "AuthFailure.TokenFailure"},
		{name: "valid token", key: Key{Secret: valid.Secret, Token: "t"}, change: func(r *http.Request) { r.Header.Set("X-TC-Token", "t") }},
		{name: "expired token", key: Key{Secret: valid.Secret, Expires: vectorTime}, code: "AuthFailure.TokenFailure"},
		{name: "token in its last second", key: Key{Secret: valid.Secret, Expires: vectorTime.Add(time.Second)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := New(func() time.Time { return vectorTime.Add(tt.after) })
			c.SetKey(id, tt.key)
			r := newVectorRequest(0)
			if tt.change != nil {
				tt.change(r)
			}
			if tt.body == "" {
				tt.body = vectorBody
			}
			_, _, err := c.verify(r, []byte(tt.body))
			var code string
			if e, ok := errors.AsType[*Error](err); ok {
				code = e.Code
			}
			if code != tt.code {
				t.Errorf("error = %v, want code %q", err, tt.code)
			}
		})
	}
}
