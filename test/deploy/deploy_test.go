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

// functions are the folders that scripts/build builds from.
func functions(t *testing.T) []string {
	t.Helper()
	folders, err := os.ReadDir(root + "/functions")
	if err != nil || len(folders) == 0 {
		t.Fatal("no functions", err)
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

// serverlessFiles are the file at the top and those beside functions.
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

// TestServerless: the files deploy every function once between them.
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
		t.Errorf("deployed are %q, want %q", deployed, want)
	}
}

// TestSecretsArePassedOn: what the examples take from the environment, the
// deployment puts there. On SCF the role stands for Tencent's keys.
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
		t.Fatalf("the examples take only %q from the environment", names)
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
				t.Errorf("%s: %s would give the function the key that deploys it", file, name)
			case !ofTencent && got != "${env:"+name+"}":
				t.Errorf("%s: %s is %q", file, name, got)
			}
		}
	}
	for _, name := range names {
		if _, ok := template.Globals.Function.Environment.Variables[name]; !ok {
			t.Errorf("template.yaml has no %s, which the examples need", name)
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
		"version":       {`{"version":"2012-10-17","statement":[{"effect":"allow","action":["a:B"],"resource":["*"]}]}`, `version is "2012-10-17": CAM knows 2.0`},
		"no resource":   {`{"version":"2.0","statement":[{"effect":"allow","action":["a:B"]}]}`, `statement of ["a:B"]: effect must be allow, and a resource named`},
		"deny":          {`{"version":"2.0","statement":[{"effect":"deny","action":["a:B"],"resource":["*"]}]}`, `statement of ["a:B"]: effect must be allow, and a resource named`},
		"too little":    {`{"version":"2.0","statement":[]}`, "a:B is not allowed, and called"},
		"too much":      {`{"version":"2.0","statement":[{"effect":"allow","action":["a:B","a:*"],"resource":["*"]}]}`, "a:* is allowed, and never called"},
		"action string": {`{"version":"2.0","statement":[{"effect":"allow","action":"a:B","resource":["*"]}]}`, "json: cannot unmarshal string into Go struct field .statement.action of type []string"},
	} {
		if got := CheckPolicy([]byte(c.policy), []string{"a:B"}); len(got) != 1 || got[0] != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
