package compatible

// Routes are the calls of the surface, as golden answers are registered for
// them: method, tree and pattern.
func Routes() []string {
	var calls []string
	for _, r := range new(api).routes() {
		for _, t := range []tree{v1, v2, v3, tokens} {
			if r.trees&t != 0 {
				calls = append(calls, r.method+" "+t.String()+" "+r.pattern)
			}
		}
	}
	return calls
}
