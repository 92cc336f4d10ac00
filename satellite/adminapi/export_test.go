package adminapi

import (
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

// Describe is the description as the program holds it, with schemas that values can be checked against.
func Describe() *huma.OpenAPI {
	e := echo.New()
	described := humaecho.NewWithGroup(e, e.Group(Prefix), configuration("1.2.3"))
	(&api{}).routes(described)
	return described.OpenAPI()
}
