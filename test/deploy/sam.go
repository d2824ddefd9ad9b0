package deploy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// CheckTemplate checks a template.yaml for AWS SAM. functions are the names of
// the functions that scripts/build builds; each must be deployed. It returns the
// faults.
//
// The rules are SAM's and Lambda's, for the parts that the template uses, including
// those that no public linter checks: event types, schedules, and the types of
// events' properties.
func CheckTemplate(data []byte, functions []string) (faults []string) {
	t := &template{checker: new(checker), parameters: map[string]*yaml.Node{}, urls: map[string]bool{}, functions: map[string]string{}}
	t.resolve = t.value
	type function struct {
		Properties struct {
			URL yaml.Node `yaml:"FunctionUrlConfig"`
		} `yaml:"Properties"`
	}
	var doc struct {
		Parameters map[string]yaml.Node `yaml:"Parameters"`
		Globals    struct {
			Function map[string]yaml.Node `yaml:"Function"`
		} `yaml:"Globals"`
		Resources map[string]function `yaml:"Resources"`
	}
	if err := yaml.Load(data, &doc); err != nil {
		return []string{err.Error()}
	}
	for name, p := range doc.Parameters {
		t.parameters[name] = &p
	}
	for name, f := range doc.Resources {
		t.resources = append(t.resources, name)
		if !f.Properties.URL.IsZero() {
			t.urls[name+"Url"] = true
		}
	}
	for name := range doc.Globals.Function {
		t.globals = append(t.globals, name)
	}
	t.check(data, t.rules(functions))
	t.resolve = nil
	t.check(data, t.references)
	for name, p := range t.parameters {
		if !slices.Contains(t.used, name) {
			t.faultf(p, "parameter %s is not used", name)
		}
	}
	for _, f := range functions {
		if t.functions[f] == "" {
			t.faults = append(t.faults, "functions/"+f+" is not deployed")
		}
	}
	slices.Sort(t.faults)
	return t.faults
}

type template struct {
	*checker
	parameters map[string]*yaml.Node
	resources  []string
	globals    []string          // properties that every function has by Globals
	urls       map[string]bool   // resources that SAM makes of FunctionUrlConfig
	functions  map[string]string // function → resource
	used       []string          // parameters that were referred to
}

func (t *template) rules(functions []string) rule {
	shared := map[string]rule{
		"Runtime":       oneOf("provided.al2023"),
		"Handler":       oneOf("bootstrap"),
		"Architectures": architectures,
		"MemorySize":    integer(128, 10240),
		"Timeout":       integer(1, 900),
		"Environment":   keys(map[string]rule{"Variables!": environment("AWS_|LAMBDA_|_")}),
		"EventInvokeConfig": keys(map[string]rule{
			"MaximumEventAgeInSeconds": integer(60, 21600),
			"MaximumRetryAttempts":     integer(0, 2),
		}),
	}
	lambda := map[string]rule{
		"FunctionName": text("[A-Za-z0-9-_]{1,64}"),
		"Description":  text(".{0,256}"),
		"CodeUri!": valid(func(uri string) error {
			name := strings.TrimSuffix(strings.TrimPrefix(uri, "dist/lambda/"), ".zip")
			if uri != "dist/lambda/"+name+".zip" || !slices.Contains(functions, name) {
				return fmt.Errorf("CodeUri %s is not a zip that scripts/build makes", uri)
			}
			t.functions[name] = uri
			return nil
		}),
		"ReservedConcurrentExecutions": integer(0, 1000),
		// Not a stream: the response is sent when it is complete.
		"FunctionUrlConfig": keys(map[string]rule{"AuthType!": oneOf("NONE"), "InvokeMode": oneOf("BUFFERED")}),
		"Events": each("[A-Za-z0-9]+", keys(map[string]rule{
			"Type!": oneOf("ScheduleV2"),
			"Properties!": keys(map[string]rule{
				"Name!":                      uniqueName,
				"Description":                text(".{0,512}"),
				"ScheduleExpression!":        valid(awsSchedule),
				"ScheduleExpressionTimezone": text(".{1,50}"),
				"Input":                      valid(schedulerInput),
				"State":                      oneOf("ENABLED"),
				// The default is 185 attempts over a day.
				"RetryPolicy!": keys(map[string]rule{
					"MaximumEventAgeInSeconds!": integer(60, 86400),
					"MaximumRetryAttempts!":     integer(0, 185),
				}),
			}),
		})),
	}
	for name, r := range shared {
		if !slices.Contains(t.globals, name) && name != "EventInvokeConfig" {
			name += "!"
		}
		lambda[name] = r
	}
	return keys(map[string]rule{
		"AWSTemplateFormatVersion": oneOf("2010-09-09"),
		"Transform!":               oneOf("AWS::Serverless-2016-10-31"),
		"Description":              text(".{1,1000}"),
		"Parameters":               each("[A-Za-z0-9]+", parameter),
		"Globals":                  keys(map[string]rule{"Function!": keys(shared)}),
		"Resources!": each("[A-Za-z0-9]+", keys(map[string]rule{
			"Type!":       oneOf("AWS::Serverless::Function"),
			"Properties!": both(keys(lambda), called),
		})),
		"Outputs": each("[A-Za-z0-9]+", keys(map[string]rule{
			"Description": scalar,
			"Value!":      func(*checker, *yaml.Node) {}, // checked by references
		})),
	})
}

// uniqueName accepts a name that begins with the stack's: schedules of two stacks in
// one account and region must not have the same name, and SAM's default, the logical
// ID, is the same in every stack.
func uniqueName(c *checker, n *yaml.Node) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!Sub" || !strings.HasPrefix(n.Value, "${AWS::StackName}-") {
		c.faultf(n, "%s is the same in every stack: begin it with !Sub '${AWS::StackName}-…'", n.Value)
	}
}

// called requires a timer or a URL that calls the function.
func called(c *checker, n *yaml.Node) {
	f := c.fields(n)
	if (f["Events"] == nil) == (f["FunctionUrlConfig"] == nil) {
		c.faultf(n, "a function has either Events or FunctionUrlConfig: something must call it")
	}
}

var secretName = regexp.MustCompile("(?i)secret|key|token|password")

// parameter accepts a parameter of the template with an allowed default.
func parameter(c *checker, n *yaml.Node) {
	keys(map[string]rule{
		"Type!":          oneOf("String", "Number"),
		"Description!":   scalar,
		"Default!":       scalar, // so that a deployment in CI may omit it
		"AllowedValues":  list(scalar),
		"AllowedPattern": scalar,
		"NoEcho":         boolean,
	})(c, n)
	f := c.fields(n)
	if allowed := f["AllowedValues"]; allowed != nil && f["Default"] != nil {
		if !slices.ContainsFunc(allowed.Content, func(v *yaml.Node) bool { return v.Value == f["Default"].Value }) {
			c.faultf(f["Default"], "default %q is not one of AllowedValues", f["Default"].Value)
		}
	}
}

// architectures accepts one reference to the parameter Architecture, whose values are
// those of LAMBDA_ARCH, so that template and build can agree.
func architectures(c *checker, n *yaml.Node) {
	if n.Kind != yaml.SequenceNode || len(n.Content) != 1 || n.Content[0].Tag != "!Ref" {
		c.faultf(n, "Architectures must be [!Ref Architecture], the counterpart of LAMBDA_ARCH")
		return
	}
	c.apply(oneOf("x86_64"), n.Content[0]) // the default of both
}

// schedulerInput checks the input that EventBridge Scheduler completes and sends.
func schedulerInput(s string) error {
	var in struct {
		Source, Time string
		Resources    []string
	}
	if err := json.Unmarshal([]byte(s), &in); err != nil {
		return fmt.Errorf("the input is not JSON: %w", err)
	}
	if in.Source != "aws.scheduler" || in.Time != "<aws.scheduler.scheduled-time>" || !slices.Equal(in.Resources, []string{"<aws.scheduler.schedule-arn>"}) {
		return fmt.Errorf("the input %s lacks source, time and resources as in Scheduler's own envelope", s)
	}
	return nil
}

// value returns a parameter's default instead of a reference to it.
func (t *template) value(n *yaml.Node) *yaml.Node {
	if n.Tag != "!Ref" || t.parameters[n.Value] == nil {
		return n
	}
	p := t.parameters[n.Value]
	for i := 0; i+1 < len(p.Content); i += 2 {
		if p.Content[i].Value == "Default" {
			v := *p.Content[i+1]
			v.Line = n.Line
			return &v
		}
	}
	return n
}

var placeholder = regexp.MustCompile(`\$\{([^!}][^}]*)\}`)

// references checks that every !Ref, !GetAtt and !Sub refers to something that
// exists, and that no other intrinsic function is used: the long forms would escape
// this check.
func (t *template) references(c *checker, n *yaml.Node) {
	switch {
	case n.Tag == "!Ref":
		t.refer(n, n.Value)
	case n.Tag == "!GetAtt":
		name, attribute, _ := strings.Cut(n.Value, ".")
		switch {
		case t.urls[name]:
			if attribute != "FunctionUrl" {
				c.faultf(n, "!GetAtt %s: a function URL has no such attribute", n.Value)
			}
			return
		case attribute != "Arn":
			c.faultf(n, "!GetAtt %s: a function has no such attribute", n.Value)
		}
		t.refer(n, n.Value)
	case n.Tag == "!Sub" && n.Kind == yaml.ScalarNode:
		for _, m := range placeholder.FindAllStringSubmatch(n.Value, -1) {
			t.refer(n, m[1])
		}
	case strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!"):
		c.faultf(n, "%s is not supported: use !Ref, !GetAtt or !Sub with a string", n.Tag)
	}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if child.Value == "Ref" || strings.HasPrefix(child.Value, "Fn::") {
				c.faultf(child, "write %s in its short form", child.Value)
			}
			if secretName.MatchString(child.Value) {
				t.secret(child, n.Content[i+1])
			}
		}
		t.references(c, child)
	}
}

func (t *template) refer(n *yaml.Node, name string) {
	name, _, _ = strings.Cut(name, ".")
	if t.parameters[name] != nil {
		t.used = append(t.used, name)
	} else if !slices.Contains(t.resources, name) && !strings.HasPrefix(name, "AWS::") {
		t.faultf(n, "%s %s: there is no such parameter or resource", n.Tag, name)
	}
}

// secret checks a parameter or variable whose name is that of a secret.
func (t *template) secret(name, value *yaml.Node) {
	p := t.parameters[name.Value]
	switch {
	case value.Tag == "!Ref" && t.parameters[value.Value] != nil:
		if !hasNoEcho(t.parameters[value.Value]) {
			t.faultf(value, "parameter %s holds a secret: NoEcho must be true", value.Value)
		}
	case p != nil && value.Kind == yaml.MappingNode:
		if !hasNoEcho(p) {
			t.faultf(name, "parameter %s holds a secret: NoEcho must be true", name.Value)
		}
	case value.Kind == yaml.ScalarNode:
		t.faultf(value, "%s is written into the template: make it a parameter with NoEcho", name.Value)
	}
}

func hasNoEcho(parameter *yaml.Node) bool {
	var p struct {
		NoEcho bool `yaml:"NoEcho"`
	}
	return parameter.Decode(&p) == nil && p.NoEcho
}
