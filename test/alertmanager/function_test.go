package alertmanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

const functionConfig = `
store: {url: "bolt:state.db"}
webhook: {auth: {tokens: [{name: amtool, token: "${HOOK_TOKEN}"}]}}
route: {receiver: nobody}
receivers: [{name: nobody}]
`

// TestAmtoolThroughFunction uses amtool with the webhook function of each cloud.
func TestAmtoolThroughFunction(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, nil, "go", "build", "-ldflags", "-X github.com/prometheus/common/version.Version=0.34.2", "-o", dir+"/amtool", upstreamModule+"/cmd/amtool")
	for cloud, tags := range map[string]string{"scf": "scf,timetzdata", "lambda": "lambda,lambda.norpc,timetzdata"} {
		run(t, dir, nil, "go", "build", "-C", "../..", "-tags", tags, "-o", filepath.Join(dir, cloud), "./functions/webhook")
	}
	const token = "a-token-of-32-bytes-for-the-tests"
	config := strings.Replace(functionConfig, "state.db", filepath.Join(dir, "<cloud>.db"), 1)
	env := func(cloud string) map[string]string {
		path := filepath.Join(dir, cloud+".yaml")
		if err := os.WriteFile(path, []byte(strings.Replace(config, "<cloud>", cloud, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return map[string]string{"TOCSIN_CONFIG": path, "HOOK_TOKEN": token}
	}
	if err := os.WriteFile(filepath.Join(dir, "http.yml"), []byte("authorization: {credentials: "+token+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for cloud, start := range map[string]func() string{
		"scf": func() string {
			f, err := scf.StartGo1(t.Context(), scf.Options{Binary: filepath.Join(dir, "scf"), Name: "webhook", Env: env("scf")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			return f.Serve(scf.FunctionURL)
		},
		"lambda": func() string {
			f, err := lambda.Start(lambda.Options{Binary: filepath.Join(dir, "lambda"), Name: "webhook", Env: env("lambda")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(f.Close)
			return f.Serve(lambda.FunctionURL)
		},
	} {
		t.Run(cloud, func(t *testing.T) {
			url := start()
			amtool := func(args ...string) string {
				t.Helper()
				return run(t, dir, []string{"HOME=" + dir}, filepath.Join(dir, "amtool"),
					append([]string{"--alertmanager.url=" + url, "--http.config.file=" + filepath.Join(dir, "http.yml")}, args...)...)
			}
			expect := func(got string, want ...string) {
				t.Helper()
				for _, w := range want {
					if !strings.Contains(got, w) {
						t.Errorf("got\n%s\nwant %q in it", got, w)
					}
				}
			}
			amtool("alert", "add", "DiskFull", "instance=db-1", "--end="+time.Now().Add(time.Hour).Format(time.RFC3339), "--annotation=summary=no space")
			expect(amtool("alert", "query"), "DiskFull", "active")
			id := strings.TrimSpace(amtool("silence", "add", "alertname=DiskFull", "--author=a", "--comment=known", "--duration=1h"))
			expect(amtool("silence", "query"), id, "known")
			if out := amtool("alert", "query"); strings.Contains(out, "DiskFull") {
				t.Errorf("got\n%s\nwant no silenced alert among the active ones", out)
			}
			amtool("silence", "expire", id)
			expect(amtool("alert", "query", "-o", "extended"), "DiskFull", "no space")
			expect(amtool("config", "show"), "receiver: nobody")
			expect(amtool("config", "routes", "test", "alertname=X"), "nobody")
		})
	}
}
