package deploy

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// CheckServerless checks a serverless.yml for Tencent's Serverless Cloud
// Framework, component scf. dir is the file's folder, relative to the
// repository; functions are the names that scripts/build builds. It returns
// the functions that the file deploys, and the faults.
//
// The rules are the component's (serverless.component.yml of tencent-scf,
// document/product/1154/43228) and SCF's limits (document/product/583/11637).
func CheckServerless(data []byte, dir string, functions []string) (deploys, faults []string) {
	c := &checker{}
	any := func(*checker, *yaml.Node) {}
	c.check(data, keys(map[string]rule{
		"app!":       text("[a-z][a-z0-9-]*"),
		"stage":      text("[a-z][a-z0-9-]*"),
		"component!": oneOf("scf"),
		"name!":      text("[a-z][a-z0-9-]*"),
		"inputs!": both(variables, keys(map[string]rule{
			"name!":       text(`[A-Za-z][\w-]{0,58}[A-Za-z0-9]`),
			"description": text(".{1,1000}"),
			"region!":     text("[a-z]+(-[a-z]+)+"),
			"namespace":   text("[A-Za-z][A-Za-z0-9_-]*"),
			"src!": valid(func(src string) error {
				name := path.Base(src)
				if path.Join(dir, src) != "dist/scf/"+name || !slices.Contains(functions, name) {
					return fmt.Errorf("src %s is not a folder that scripts/build creates", src)
				}
				deploys = append(deploys, name)
				return nil
			}),
			"type":         oneOf("event"), // a web function has no timers
			"runtime!":     oneOf("Go1"),
			"handler!":     oneOf("main"), // the binary in the folder
			"memorySize!":  memorySize,
			"timeout!":     integer(1, 900),
			"initTimeout":  scalar,
			"role!":        text(`[\w-]{1,128}`), // without one there are no keys for the API
			"publicAccess": boolean,
			"eip":          boolean,
			"vpcConfig":    keys(map[string]rule{"vpcId!": scalar, "subnetId!": scalar}),
			"cls":          keys(map[string]rule{"logsetId!": scalar, "topicId!": scalar}),
			"msgTTL":       scalar,
			"retryNum":     scalar,
			"tags":         any,
			"environment":  keys(map[string]rule{"variables!": environment("SCF_|QCLOUD_|TENCENTCLOUD_")}),
			"events!": both(trigger, list(keys(map[string]rule{
				// A function URL. Networks that netConfig leaves out are closed. Callers
				// have a token, and no key of Tencent Cloud to sign with.
				"http": keys(map[string]rule{
					"name": text("[A-Za-z][A-Za-z0-9_-]{0,59}"),
					"parameters!": keys(map[string]rule{
						"qualifier": scalar,
						"authType!": oneOf("NONE"),
						"netConfig!": keys(map[string]rule{
							"enableExtranet!": oneOf("true"),
							"enableIntranet":  boolean,
						}),
					}),
				}),
				"timer": keys(map[string]rule{
					"name": text("[A-Za-z][A-Za-z0-9_-]{0,59}"),
					"parameters!": keys(map[string]rule{
						"qualifier":       scalar,
						"cronExpression!": valid(scfCron),
						"enable!":         oneOf("true"), // the default is a disabled trigger
						"argument":        text(".*"),
					}),
				}),
			}))),
		})),
	}))
	slices.Sort(c.faults)
	return deploys, c.faults
}

// trigger requires an event that calls the function.
func trigger(c *checker, n *yaml.Node) {
	if len(n.Content) == 0 {
		c.faultf(n, "no event calls the function")
	}
}

// memorySize accepts 64, or 128 to 3072 in steps of 128 (MB).
func memorySize(c *checker, n *yaml.Node) {
	integer(64, 3072)(c, n)
	var mb int
	if n.Decode(&mb) == nil && mb != 64 && mb%128 != 0 {
		c.faultf(n, "%d MB is not 64 or a multiple of 128", mb)
	}
}

var (
	variable      = regexp.MustCompile(`\$\{[^}]*\}?`)
	knownVariable = regexp.MustCompile(`^\$\{(env:[A-Za-z_]\w*|name|stage|app)\}$`)
)

// variables finds placeholders that the framework's command does not replace.
func variables(c *checker, n *yaml.Node) {
	for _, v := range variable.FindAllString(n.Value, -1) {
		if !knownVariable.MatchString(v) {
			c.faultf(n, "%s is not a variable: write ${env:NAME}, ${name}, ${stage} or ${app}", v)
		} else if strings.HasPrefix(v, "${env:") && v != n.Value {
			c.faultf(n, "%s must stand alone: when it is not set it becomes the word undefined", v)
		}
	}
	for _, child := range n.Content {
		variables(c, child)
	}
}
