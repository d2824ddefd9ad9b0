package kafka

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/twmb/franz-go/pkg/sasl/aws"
)

// clearAWS leaves no credentials of this machine to the SDK.
func clearAWS(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			os.Unsetenv(name)
		}
	}
	t.Setenv("HOME", t.TempDir())
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// serve starts a server of credentials; it counts the requests for them.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func credentialsJSON(lifetime time.Duration) string {
	return fmt.Sprintf(`{"Code": "Success", "AccessKeyId": "AKIArole", "SecretAccessKey": %q, "Token": "session", "Expiration": %q}`, password, time.Now().Add(lifetime).UTC().Format(time.RFC3339))
}

// TestAWSCredentials finds credentials everywhere, each in the form that AWS documents.
func TestAWSCredentials(t *testing.T) {
	for _, tt := range []struct {
		name  string
		setUp func(t *testing.T)
	}{
		{"environment", func(t *testing.T) {
			t.Setenv("AWS_ACCESS_KEY_ID", "AKIArole")
			t.Setenv("AWS_SECRET_ACCESS_KEY", password)
			t.Setenv("AWS_SESSION_TOKEN", "session")
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/missing") // the environment comes first
		}},
		{"profile of the credentials file", func(t *testing.T) {
			t.Setenv("AWS_PROFILE", "monitoring")
			t.Setenv("AWS_SHARED_CREDENTIALS_FILE", writeFile(t, "credentials", "[default]\naws_access_key_id=other\naws_secret_access_key=other\n"+
				"[monitoring]\naws_access_key_id=AKIArole\naws_secret_access_key="+password+"\naws_session_token=session\n"))
		}},
		{"command of the config file", func(t *testing.T) {
			output := fmt.Sprintf(`{"Version": 1, "AccessKeyId": "AKIArole", "SecretAccessKey": %q, "SessionToken": "session"}`, password)
			t.Setenv("AWS_CONFIG_FILE", writeFile(t, "config", "[default]\ncredential_process = cat "+writeFile(t, "output", output)+"\n"))
		}},
		{"container", func(t *testing.T) {
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token")
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.URL.Path != "/v2/credentials" || r.Header.Get("Authorization") != "container-token" {
					t.Errorf("got %s %s with %v, want a GET with the token", r.Method, r.URL, r.Header)
				}
				fmt.Fprint(w, credentialsJSON(time.Hour))
			})+"/v2/credentials")
		}},
		{"EKS Pod Identity", func(t *testing.T) {
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", writeFile(t, "token", "pod-token"))
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "pod-token" {
					t.Errorf("got %v, want the token of the pod", r.Header)
				}
				fmt.Fprint(w, credentialsJSON(time.Hour))
			})+"/v1/credentials")
		}},
		{"instance profile", func(t *testing.T) {
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", serve(t, func(w http.ResponseWriter, r *http.Request) {
				const roles = "/latest/meta-data/iam/security-credentials/"
				switch {
				case r.Method == http.MethodPut && r.URL.Path == "/latest/api/token":
					w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", r.Header.Get("X-Aws-Ec2-Metadata-Token-Ttl-Seconds"))
					fmt.Fprint(w, "metadata-token")
				case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "metadata-token":
					http.Error(w, "Unauthorized", http.StatusUnauthorized) // IMDSv2
				case r.URL.Path == roles:
					fmt.Fprint(w, "monitoring")
				case r.URL.Path == roles+"monitoring":
					fmt.Fprint(w, credentialsJSON(time.Hour))
				default:
					http.NotFound(w, r)
				}
			}))
		}},
		{"web identity, as with IRSA", func(t *testing.T) {
			t.Setenv("AWS_REGION", "eu-west-1")
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/monitoring")
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", writeFile(t, "token", "service-account-token"))
			t.Setenv("AWS_ENDPOINT_URL_STS", serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("RoleArn") != "arn:aws:iam::123456789012:role/monitoring" || r.FormValue("WebIdentityToken") != "service-account-token" {
					t.Errorf("got %v, want the token of the service account", r.Form)
				}
				w.Header().Set("Content-Type", "text/xml")
				fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIArole</AccessKeyId>`+
					`<SecretAccessKey>%s</SecretAccessKey><SessionToken>session</SessionToken><Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
					password, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
			}))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clearAWS(t)
			tt.setUp(t)
			keys := &awsKeys{lookup: os.LookupEnv}
			got, err := keys.get(t.Context())
			must(t, err)
			if got.AccessKey != "AKIArole" || got.SecretKey != password || got.SessionToken != "session" {
				t.Errorf("got %+v, want the key AKIArole of the session", got)
			}
		})
	}
	t.Run("not in the output of a command", func(t *testing.T) {
		clearAWS(t)
		output := fmt.Sprintf("warning\n"+`{"Version": 1, "AccessKeyId": "AKIArole", "SecretAccessKey": %q, "SessionToken": "session"}`, password)
		t.Setenv("AWS_CONFIG_FILE", writeFile(t, "config", "[default]\ncredential_process = cat "+writeFile(t, "output", output)+"\n"))
		keys := &awsKeys{lookup: os.LookupEnv}
		_, err := keys.get(t.Context())
		checkError(t, err, Credentials, "or give the machine, container or service account a role (credential_process: invalid character 'w' looking for beginning of value)")
	})
	t.Run("not in a page", func(t *testing.T) {
		clearAWS(t)
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"code": "no", "message": %q}`, strings.Repeat("x", 1<<20))
		}))
		keys := &awsKeys{lookup: os.LookupEnv}
		_, err := keys.get(t.Context())
		if checkError(t, err, Credentials, "a role ("); len(err.Error()) > 1000 {
			t.Errorf("got an error of %d bytes, want at most 1000", len(err.Error()))
		}
	})
	t.Run("nowhere", func(t *testing.T) {
		clearAWS(t)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
		keys := &awsKeys{lookup: os.LookupEnv}
		_, err := keys.get(t.Context())
		checkError(t, err, Credentials, "no AWS credentials to log in with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine")
	})
}

// TestAWSCredentialsAreRenewed counts the requests for credentials of ten logins.
func TestAWSCredentialsAreRenewed(t *testing.T) {
	for _, tt := range []struct {
		name     string
		lifetime time.Duration
		forget   bool
		want     int
	}{
		{"not while they are valid", time.Hour, false, 1},
		{"within the last minute", 50 * time.Second, false, 10},
		{"after the brokers rejected them", time.Hour, true, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clearAWS(t)
			requests := 0
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", serve(t, func(w http.ResponseWriter, _ *http.Request) {
				requests++
				fmt.Fprint(w, credentialsJSON(tt.lifetime))
			}))
			keys := &awsKeys{lookup: os.LookupEnv}
			for range 10 {
				_, err := keys.get(t.Context())
				must(t, err)
				if tt.forget {
					keys.chain.forget()
				}
			}
			if requests != tt.want {
				t.Errorf("got %d requests, want %d", requests, tt.want)
			}
		})
	}
}

// TestAWSSignature compares the signature of a login with that of the AWS SDK for the
// same request, as AWS's own client for Kafka (aws-msk-iam-sasl-signer-go) makes it.
func TestAWSSignature(t *testing.T) {
	env := map[string]string{"AWS_ACCESS_KEY_ID": "AKIArole", "AWS_SECRET_ACCESS_KEY": password, "AWS_SESSION_TOKEN": "session/+="}
	keys := &awsKeys{lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok }}
	const host = "b-1.orders.abcde1.c2.kafka.eu-west-1.amazonaws.com"
	_, message, err := aws.ManagedStreamingIAM(keys.get).Authenticate(t.Context(), host+":9098")
	must(t, err)
	var login map[string]string
	must(t, json.Unmarshal(message, &login))
	date, err := time.Parse("20060102T150405Z", login["x-amz-date"])
	must(t, err)
	req, err := http.NewRequest(http.MethodGet, "https://"+host+"/?Action=kafka-cluster%3AConnect&X-Amz-Expires=300", nil)
	must(t, err)
	const emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // its SHA-256
	key := sdk.Credentials{AccessKeyID: "AKIArole", SecretAccessKey: password, SessionToken: "session/+="}
	signed, _, err := v4.NewSigner().PresignHTTP(t.Context(), key, req, emptyBody, "kafka-cluster", "eu-west-1", date)
	must(t, err)
	want, err := http.NewRequest(http.MethodGet, signed, nil)
	must(t, err)
	for name, values := range want.URL.Query() {
		if got := login[strings.ToLower(name)]; got != values[0] {
			t.Errorf("%s: got %s, want %s", name, got, values[0])
		}
	}
	if login["host"] != host || login["version"] != "2020_10_22" || login["x-amz-signature"] == "" || strings.Contains(string(message), password) {
		t.Errorf("got %s, want a signed login at %s without the secret", message, host)
	}
}
