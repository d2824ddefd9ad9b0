package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

const root = "../.."

// functions returns the names of the functions that scripts/build builds.
func functions(t *testing.T) []string {
	t.Helper()
	folders, err := os.ReadDir(root + "/functions")
	if err != nil || len(folders) == 0 {
		t.Fatalf("got no functions (error %v), want some", err)
	}
	var names []string
	for _, f := range folders {
		if f.IsDir() {
			names = append(names, f.Name())
		}
	}
	return names
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTemplate(t *testing.T) {
	for _, f := range CheckTemplate(read(t, "template.yaml"), functions(t)) {
		t.Errorf("template.yaml: %s", f)
	}
}

// serverlessFiles returns the paths of all serverless.yml.
func serverlessFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(root + "/functions/*/serverless.yml")
	if err != nil {
		t.Fatal(err)
	}
	for i, file := range files {
		if files[i], err = filepath.Rel(root, file); err != nil {
			t.Fatal(err)
		}
	}
	return append(files, "serverless.yml")
}

// Together the files deploy every function once.
func TestServerless(t *testing.T) {
	var deployed []string
	for _, file := range serverlessFiles(t) {
		deploys, faults := CheckServerless(read(t, file), filepath.Dir(file), functions(t))
		for _, f := range faults {
			t.Errorf("%s: %s", file, f)
		}
		deployed = append(deployed, deploys...)
	}
	slices.Sort(deployed)
	if want := functions(t); !slices.Equal(deployed, want) {
		t.Errorf("got deployed functions %q, want %q", deployed, want)
	}
}

// The deployment sets every variable that the examples read. On SCF the role replaces
// Tencent's keys.
func TestSecretsArePassedOn(t *testing.T) {
	var template struct {
		Globals struct {
			Function struct {
				Environment struct {
					Variables map[string]yaml.Node `yaml:"Variables"`
				} `yaml:"Environment"`
			} `yaml:"Function"`
		} `yaml:"Globals"`
	}
	if err := yaml.Load(read(t, "template.yaml"), &template); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, example := range []string{"examples/tocsin.yaml", "examples/functions.yaml"} {
		for _, m := range regexp.MustCompile(`: .*\$\{([A-Z0-9_]+)`).FindAllStringSubmatch(string(read(t, example)), -1) {
			names = append(names, m[1])
		}
	}
	if len(names) < 7 {
		t.Fatalf("got only the variables %q in the examples, want at least 7", names)
	}
	for _, file := range serverlessFiles(t) {
		var serverless struct {
			Inputs struct {
				Environment struct{ Variables map[string]string }
			}
		}
		if err := yaml.Load(read(t, file), &serverless); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			got, ok := serverless.Inputs.Environment.Variables[name]
			switch ofTencent := strings.HasPrefix(name, "TENCENT_"); {
			case ofTencent && ok:
				t.Errorf("%s: got %s, want it absent: it would give the function the key that deploys it", file, name)
			case !ofTencent && got != "${env:"+name+"}":
				t.Errorf("%s: got %s %q, want ${env:%s}", file, name, got, name)
			}
		}
	}
	for _, name := range names {
		if _, ok := template.Globals.Function.Environment.Variables[name]; !ok {
			t.Errorf("template.yaml: got no %s, want it, since the examples read it", name)
		}
	}
}

func TestPolicy(t *testing.T) {
	calls := []string{"ckafka:DescribeGroup", "ckafka:DescribeGroupInfo", "ckafka:DescribeGroupOffsets", "sms:SendSms", "vms:SendTtsVoice"}
	for _, f := range CheckPolicy(read(t, "deploy/cam-policy.json"), calls) {
		t.Errorf("deploy/cam-policy.json: %s", f)
	}
}

func TestPolicyFaults(t *testing.T) {
	for name, c := range map[string]struct{ policy, want string }{
		"unknown key":   {`{"version":"2.0","statements":[]}`, `json: unknown field "statements"`},
		"version":       {`{"version":"2012-10-17","statement":[{"effect":"allow","action":["a:B"],"resource":["*"]}]}`, `version is "2012-10-17", want 2.0`},
		"no resource":   {`{"version":"2.0","statement":[{"effect":"allow","action":["a:B"]}]}`, `statement of ["a:B"]: effect must be allow, with a resource`},
		"deny":          {`{"version":"2.0","statement":[{"effect":"deny","action":["a:B"],"resource":["*"]}]}`, `statement of ["a:B"]: effect must be allow, with a resource`},
		"too little":    {`{"version":"2.0","statement":[]}`, "a:B is called but not allowed"},
		"too much":      {`{"version":"2.0","statement":[{"effect":"allow","action":["a:B","a:*"],"resource":["*"]}]}`, "a:* is allowed but never called"},
		"action string": {`{"version":"2.0","statement":[{"effect":"allow","action":"a:B","resource":["*"]}]}`, "json: cannot unmarshal string into Go struct field .statement.action of type []string"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CheckPolicy([]byte(c.policy), []string{"a:B"}); len(got) != 1 || got[0] != c.want {
				t.Errorf("got faults %q, want %q", got, c.want)
			}
		})
	}
}
