# The identity provider of a Bitbucket workspace, and a role that the steps of one repository may
# assume, bound to one deployment environment where `environment_uuid` is given.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81" # reads the provider's certificates by itself: no thumbprint to maintain
    }
  }
}

variable "workspace" {
  description = "The workspace's id, as in bitbucket.org/<workspace>/<repository>."
  type        = string
}

variable "workspace_uuid" {
  description = "The workspace's UUID without braces: Repository settings > OpenID Connect."
  type        = string
}

variable "repository_uuid" {
  description = "The repository's UUID without braces: Repository settings > OpenID Connect."
  type        = string
}

variable "environment_uuid" {
  description = "The deployment environment's UUID without braces; empty lets every step in."
  type        = string
  default     = ""
}

variable "role_name" {
  description = "The role's name; its ARN becomes AWS_OIDC_ROLE_ARN."
  type        = string
  default     = "bitbucket-deploy"
}

variable "token_secret" {
  description = "The secret that holds the portal's token, for DUPLO_TOKEN_SECRET."
  type        = string
  default     = "deploy/portal-token"
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  issuer  = "api.bitbucket.org/2.0/workspaces/${var.workspace}/pipelines-config/identity/oidc"
  prefix  = var.environment_uuid == "" ? "" : "{${var.environment_uuid}}:"
  subject = "{${var.repository_uuid}}:${local.prefix}*"
  account = data.aws_caller_identity.this.account_id
  arn     = "arn:${data.aws_partition.this.partition}"
}

resource "aws_iam_openid_connect_provider" "bitbucket" {
  url            = "https://${local.issuer}"
  client_id_list = ["ari:cloud:bitbucket::workspace/${var.workspace_uuid}"]
}

data "aws_iam_policy_document" "trust" {
  statement {
    effect  = "Allow"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.bitbucket.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "${local.issuer}:aud"
      values   = ["ari:cloud:bitbucket::workspace/${var.workspace_uuid}"]
    }

    # The end stays open: the step's own UUID, new in every run, comes last.
    condition {
      test     = "StringLike"
      variable = "${local.issuer}:sub"
      values   = [local.subject]
    }
  }
}

data "aws_iam_policy_document" "permissions" {
  statement {
    sid    = "ProveTheImage"
    effect = "Allow"
    actions = [
      "ecr:BatchGetImage",
      "ecr:DescribeImages",
      "ecr:DescribeImageScanFindings",
      "ecr:ListImages",
    ]
    resources = ["${local.arn}:ecr:*:${local.account}:repository/*"]
  }

  statement {
    sid    = "PullImagesForTests"
    effect = "Allow"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:GetDownloadUrlForLayer",
    ]
    resources = ["${local.arn}:ecr:*:${local.account}:repository/*"]
  }

  statement {
    sid       = "LogInToPull"
    effect    = "Allow"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid       = "SeeWhatEcrCaches"
    effect    = "Allow"
    actions   = ["ecr:DescribePullThroughCacheRules"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadThePortalToken"
    effect    = "Allow"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = ["${local.arn}:secretsmanager:*:${local.account}:secret:${var.token_secret}-*"]
  }
}

resource "aws_iam_role" "deploy" {
  name               = var.role_name
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "deploy" {
  name   = "deploy"
  role   = aws_iam_role.deploy.id
  policy = data.aws_iam_policy_document.permissions.json
}

output "role_arn" {
  description = "For AWS_OIDC_ROLE_ARN."
  value       = aws_iam_role.deploy.arn
}
