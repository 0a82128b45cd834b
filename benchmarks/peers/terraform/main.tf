# The same resources as the templates in stacks/ make, with the settings that these have.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.100" }
  }
}

variable "project" { type = string }
variable "package" { type = string }
variable "name" { type = string }
variable "stage" { type = string }
variable "app" { type = string }
variable "table" { type = string }
variable "function" { type = string }

provider "aws" {
  # An emulator has neither buckets as names of hosts nor all that these look at.
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}

locals {
  account     = data.aws_caller_identity.this.account_id
  partition   = data.aws_partition.this.partition
  region      = data.aws_region.this.name
  site_origin = "https://${aws_cloudfront_distribution.site.domain_name}"
  api_origin  = "https://${aws_api_gateway_rest_api.api.id}.execute-api.${local.region}.amazonaws.com"
  api_url     = "${local.api_origin}/${var.stage}/users"
  site        = fileset("${var.project}/site", "**")
  types = {
    css  = "text/css"
    html = "text/html"
    js   = "text/javascript"
    json = "application/json"
    svg  = "image/svg+xml"
  }
  cors = ["Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"]
  gateway_headers = {
    "gatewayresponse.header.Access-Control-Allow-Origin"  = "'${local.site_origin}'"
    "gatewayresponse.header.Access-Control-Allow-Methods" = "'GET,OPTIONS'"
    "gatewayresponse.header.Access-Control-Allow-Headers" = "'Content-Type,Authorization'"
    "gatewayresponse.header.Cache-Control"                = "'no-store'"
    "gatewayresponse.header.X-Content-Type-Options"       = "'nosniff'"
  }
}

# ---- data ----

resource "aws_dynamodb_table" "table" {
  name         = var.table
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "userId"
  attribute {
    name = "userId"
    type = "S"
  }
  server_side_encryption { enabled = true }
}

resource "aws_dynamodb_table_item" "seed" {
  for_each = {
    "1" = { userId = { S = "1" }, name = { S = "Test User" }, email = { S = "test@example.com" } }
    "2" = {
      userId    = { S = "2" }, name = { S = "Grace Hopper" }, email = { S = "grace@example.com" }
      languages = { L = [{ S = "FLOW-MATIC" }, { S = "COBOL" }] }
      address   = { M = { city = { S = "Arlington" }, country = { S = "US" } } }
    }
    "3" = {
      userId = { S = "3" }, name = { S = "Ada Lovelace" }, email = { S = "ada@example.com" }
      born   = { N = "1815" }, active = { BOOL = true }
    }
  }
  table_name = aws_dynamodb_table.table.name
  hash_key   = aws_dynamodb_table.table.hash_key
  item       = jsonencode(each.value)
}

# ---- presentation ----

resource "aws_s3_bucket" "site" {
  bucket        = "${var.name}-site-${local.account}-${local.region}"
  force_destroy = true
}

resource "aws_s3_bucket_public_access_block" "site" {
  bucket                  = aws_s3_bucket.site.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "site" {
  bucket = aws_s3_bucket.site.id
  rule { object_ownership = "BucketOwnerEnforced" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "site" {
  bucket = aws_s3_bucket.site.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_s3_bucket_versioning" "site" {
  bucket = aws_s3_bucket.site.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_lifecycle_configuration" "site" {
  bucket = aws_s3_bucket_versioning.site.id
  rule {
    id     = "forget-old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration { noncurrent_days = 30 }
    abort_incomplete_multipart_upload { days_after_initiation = 1 }
  }
}

resource "aws_s3_bucket_policy" "site" {
  bucket = aws_s3_bucket.site.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "ThisDistributionReads"
        Effect    = "Allow"
        Principal = { Service = "cloudfront.amazonaws.com" }
        Action    = "s3:GetObject"
        Resource  = "${aws_s3_bucket.site.arn}/*"
        Condition = { StringEquals = { "AWS:SourceArn" = aws_cloudfront_distribution.site.arn } }
      },
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.site.arn, "${aws_s3_bucket.site.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_cloudfront_origin_access_control" "site" {
  name                              = "${var.name}-${local.region}"
  origin_access_control_origin_type = "s3"
  signing_behavior                  = "always"
  signing_protocol                  = "sigv4"
}

resource "aws_cloudfront_response_headers_policy" "site" {
  name = "${var.name}-${local.region}"
  security_headers_config {
    strict_transport_security {
      access_control_max_age_sec = 31536000
      override                   = true
    }
    content_type_options { override = true }
    frame_options {
      frame_option = "DENY"
      override     = true
    }
    referrer_policy {
      referrer_policy = "no-referrer"
      override        = true
    }
    content_security_policy {
      content_security_policy = join(" ", [
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none';",
        "form-action 'none'; frame-ancestors 'none'; connect-src 'self' ${local.api_origin}",
      ])
      override = true
    }
  }
}

resource "aws_cloudfront_distribution" "site" {
  comment             = "${var.app} ${var.stage}"
  enabled             = true
  default_root_object = "index.html"
  http_version        = "http2and3"
  is_ipv6_enabled     = true
  price_class         = "PriceClass_100"
  # It would look every half minute whether edges have it, which an emulator has at once: time that is no work.
  wait_for_deployment = false
  origin {
    origin_id                = "site"
    domain_name              = aws_s3_bucket.site.bucket_regional_domain_name
    origin_access_control_id = aws_cloudfront_origin_access_control.site.id
  }
  default_cache_behavior {
    target_origin_id           = "site"
    viewer_protocol_policy     = "redirect-to-https"
    allowed_methods            = ["GET", "HEAD"]
    cached_methods             = ["GET", "HEAD"]
    compress                   = true
    cache_policy_id            = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    response_headers_policy_id = aws_cloudfront_response_headers_policy.site.id
  }
  custom_error_response {
    error_code            = 403
    response_code         = 404
    response_page_path    = "/404.html"
    error_caching_min_ttl = 5
  }
  custom_error_response {
    error_code            = 404
    response_code         = 404
    response_page_path    = "/404.html"
    error_caching_min_ttl = 5
  }
  restrictions {
    geo_restriction { restriction_type = "none" }
  }
  viewer_certificate { cloudfront_default_certificate = true }
}

resource "aws_s3_object" "site" {
  for_each     = local.site
  bucket       = aws_s3_bucket_versioning.site.id
  key          = each.value
  source       = "${var.project}/site/${each.value}"
  etag         = filemd5("${var.project}/site/${each.value}")
  content_type = lookup(local.types, reverse(split(".", each.value))[0], "application/octet-stream")
}

resource "aws_s3_object" "config" {
  bucket       = aws_s3_bucket_versioning.site.id
  key          = "config.json"
  content      = jsonencode({ apiUrl = local.api_url })
  content_type = "application/json"
}

# ---- logic ----

resource "aws_iam_role" "function" {
  name = "${var.name}-function-${local.region}"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "function" {
  name = "read-one-table"
  role = aws_iam_role.function.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "ReadOneItem", Effect = "Allow", Action = "dynamodb:GetItem", Resource = aws_dynamodb_table.table.arn },
      {
        Sid      = "WriteOwnLogs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.function.arn}:*"
      },
    ]
  })
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.function}"
  retention_in_days = 3
}

resource "aws_lambda_function" "function" {
  function_name    = var.function
  description      = "Reads one user by id."
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = ["x86_64"]
  filename         = var.package
  source_code_hash = filebase64sha256(var.package)
  role             = aws_iam_role.function.arn
  timeout          = 10
  memory_size      = 256
  logging_config {
    log_format            = "JSON"
    log_group             = aws_cloudwatch_log_group.function.name
    application_log_level = "INFO"
  }
  environment {
    variables = { TABLE_NAME = var.table, ALLOWED_ORIGIN = local.site_origin, LOG_LEVEL = "info" }
  }
}

resource "aws_lambda_permission" "api" {
  function_name = aws_lambda_function.function.function_name
  action        = "lambda:InvokeFunction"
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_api_gateway_rest_api.api.execution_arn}/*/GET/users"
}

resource "aws_api_gateway_rest_api" "api" {
  name        = var.name
  description = "Users by id."
  endpoint_configuration { types = ["REGIONAL"] }
}

resource "aws_api_gateway_model" "user" {
  rest_api_id  = aws_api_gateway_rest_api.api.id
  name         = "User"
  description  = "The item as it is stored."
  content_type = "application/json"
  schema = jsonencode({
    "$schema" = "http://json-schema.org/draft-04/schema#", title = "User", type = "object", required = ["userId"]
    properties = { userId = { type = "string" }, name = { type = "string" }, email = { type = "string" } }
  })
}

resource "aws_api_gateway_model" "failure" {
  rest_api_id  = aws_api_gateway_rest_api.api.id
  name         = "Failure"
  description  = "What went wrong, in a sentence."
  content_type = "application/json"
  schema = jsonencode({
    "$schema"  = "http://json-schema.org/draft-04/schema#", title = "Failure", type = "object", required = ["error"]
    properties = { error = { type = "string" } }
  })
}

resource "aws_api_gateway_resource" "users" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  parent_id   = aws_api_gateway_rest_api.api.root_resource_id
  path_part   = "users"
}

resource "aws_api_gateway_method" "get" {
  rest_api_id        = aws_api_gateway_rest_api.api.id
  resource_id        = aws_api_gateway_resource.users.id
  http_method        = "GET"
  operation_name     = "retrieveUserData"
  authorization      = "NONE"
  request_parameters = { "method.request.querystring.userId" = true }
}

resource "aws_api_gateway_integration" "get" {
  rest_api_id             = aws_api_gateway_rest_api.api.id
  resource_id             = aws_api_gateway_resource.users.id
  http_method             = aws_api_gateway_method.get.http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = aws_lambda_function.function.invoke_arn
}

resource "aws_api_gateway_method_response" "get" {
  for_each = {
    "200" = aws_api_gateway_model.user.name
    "400" = aws_api_gateway_model.failure.name
    "404" = aws_api_gateway_model.failure.name
    "500" = aws_api_gateway_model.failure.name
  }
  rest_api_id         = aws_api_gateway_rest_api.api.id
  resource_id         = aws_api_gateway_resource.users.id
  http_method         = aws_api_gateway_method.get.http_method
  status_code         = each.key
  response_models     = { "application/json" = each.value }
  response_parameters = { for header in local.cors : "method.response.header.${header}" => true }
}

resource "aws_api_gateway_method" "preflight" {
  rest_api_id   = aws_api_gateway_rest_api.api.id
  resource_id   = aws_api_gateway_resource.users.id
  http_method   = "OPTIONS"
  authorization = "NONE"
}

resource "aws_api_gateway_integration" "preflight" {
  rest_api_id       = aws_api_gateway_rest_api.api.id
  resource_id       = aws_api_gateway_resource.users.id
  http_method       = aws_api_gateway_method.preflight.http_method
  type              = "MOCK"
  request_templates = { "application/json" = "{\"statusCode\": 200}" }
}

resource "aws_api_gateway_method_response" "preflight" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  resource_id         = aws_api_gateway_resource.users.id
  http_method         = aws_api_gateway_method.preflight.http_method
  status_code         = "200"
  response_parameters = { for header in local.cors : "method.response.header.${header}" => true }
}

resource "aws_api_gateway_integration_response" "preflight" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  resource_id = aws_api_gateway_resource.users.id
  http_method = aws_api_gateway_integration.preflight.http_method
  status_code = aws_api_gateway_method_response.preflight.status_code
  response_parameters = {
    "method.response.header.Access-Control-Allow-Origin"  = "'${local.site_origin}'"
    "method.response.header.Access-Control-Allow-Methods" = "'GET,OPTIONS'"
    "method.response.header.Access-Control-Allow-Headers" = "'Content-Type,Authorization'"
  }
}

resource "aws_api_gateway_gateway_response" "errors" {
  for_each            = toset(["DEFAULT_4XX", "DEFAULT_5XX"])
  rest_api_id         = aws_api_gateway_rest_api.api.id
  response_type       = each.value
  response_parameters = local.gateway_headers
  response_templates  = { "application/json" = "{\"error\":$context.error.messageString}" }
}

resource "aws_api_gateway_gateway_response" "unknown_paths" {
  rest_api_id         = aws_api_gateway_rest_api.api.id
  response_type       = "MISSING_AUTHENTICATION_TOKEN"
  status_code         = "404"
  response_parameters = local.gateway_headers
  response_templates = {
    "application/json" = jsonencode({ error = "No such path or method. Try GET /${var.stage}/users?userId=1" })
  }
}

resource "aws_api_gateway_deployment" "api" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  depends_on = [
    aws_api_gateway_integration.get,
    aws_api_gateway_method_response.get,
    aws_api_gateway_integration_response.preflight,
    aws_api_gateway_gateway_response.errors,
    aws_api_gateway_gateway_response.unknown_paths,
  ]
}

resource "aws_api_gateway_stage" "api" {
  rest_api_id   = aws_api_gateway_rest_api.api.id
  deployment_id = aws_api_gateway_deployment.api.id
  stage_name    = var.stage
}

resource "aws_api_gateway_method_settings" "api" {
  rest_api_id = aws_api_gateway_rest_api.api.id
  stage_name  = aws_api_gateway_stage.api.stage_name
  method_path = "*/*"
  settings {
    throttling_rate_limit  = 50
    throttling_burst_limit = 100
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  alarm_name          = "${var.name}-function-errors"
  alarm_description   = "${var.function} failed at least once in a minute. See its log group, /aws/lambda/${var.function}."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.function.function_name }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "api" {
  alarm_name          = "${var.name}-api-5xx"
  alarm_description   = "The API answered 5xx at least once in a minute. See the log group /aws/lambda/${var.function}."
  namespace           = "AWS/ApiGateway"
  metric_name         = "5XXError"
  dimensions          = { ApiName = var.name, Stage = var.stage }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
}
